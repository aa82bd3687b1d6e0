# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""What a name in a gin file stands for; if for nothing, the nearest name that stands for something.

gin-config's own messages name neither the nearest name nor, for a reference, what is wrong with it;
and the way a file's names are found while it is read is not public in gin, so this file and its
neighbours gin_reach.py and gin_utils.py hold to gin-config 0.5.
"""

import importlib
import importlib.util  # gin-config 0.5.0 uses it without importing it.
import inspect
import pkgutil
from typing import Any

from gin import config as gin_config
from gin import config_parser

from official_cvrl import errors, spelling, stack

_DYNAMIC = "__gin__.dynamic_registration"


def short_name(selector: str) -> str:
    """Returns the last two parts of a complete selector: "optimizers.sgd"."""
    return ".".join(selector.split(".")[-2:])


def is_macro(selector: str) -> bool:
    """Returns whether a complete selector is gin's macro, whose scope is the macro's name."""
    return selector == "gin.macro"


def binding_name(scope: str, selector: str, parameter: str) -> str:
    """Returns a binding as it is written on the left of an equals sign."""
    if is_macro(selector):
        return scope
    return f"{scope}{'/' if scope else ''}{short_name(selector)}.{parameter}"


def parameters(target: Any) -> dict[str, inspect.Parameter] | None:
    """Returns the parameters that a function or class takes by name; None if it takes any.

    A constructor with `**kwargs` hands them to the next class in line, so that one's count too.
    """
    is_class = inspect.isclass(target)
    functions = [target]
    if is_class:
        functions = [vars(base)["__init__"] for base in target.__mro__ if "__init__" in vars(base)]
    found: dict[str, inspect.Parameter] = {}
    for function in functions:
        if function is object.__init__:
            return found
        signature = list(inspect.signature(function).parameters.values())[is_class:]
        for parameter in signature:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(parameter.name, parameter)
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in signature):
            return found
    return None


def check_parameter(configurable: gin_config.Configurable, name: str) -> None:
    """Raises UserError unless the configurable takes an argument of that name."""
    known = parameters(configurable.wrapped)
    if known is not None and name not in known:
        owner = short_name(configurable.selector)
        raise errors.UserError(f"{owner} has no parameter '{name}'.{spelling.nearest(name, known)}")


def check_import(statement: config_parser.ImportStatement) -> None:
    """Raises UserError unless a module, or a feature of gin, can be imported.

    A module that is there but fails in its own code raises what it raises: no mistake of gin's.
    """
    module = statement.module
    if statement.bound_name() == "gin":
        raise errors.UserError(f"'{statement.format()}' would hide gin's own names; add 'as …'")
    if module.startswith("__gin__."):
        if module != _DYNAMIC:
            feature = module.removeprefix("__gin__.")
            near = spelling.nearest(feature, ["dynamic_registration"])
            raise errors.UserError(f"gin has no feature '{feature}'.{near}")
        if statement.alias or gin_config._parse_context().imports:
            raise errors.UserError("'from __gin__ import …' stands before other imports, as it is")
        return
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not error.name or not f"{module}.".startswith(f"{error.name}."):
            found = stack.where_to_find(module)
            raise errors.UserError(f"{module} cannot be imported: {error}.{found}") from error
        near = stack.where_to_find(module) or spelling.nearest(error.name, _siblings(error.name))
        raise errors.UserError(f"there is no module '{error.name}'.{near}") from None


def _siblings(module: str) -> list[str]:
    parent, _, _ = module.rpartition(".")
    path = getattr(importlib.import_module(parent), "__path__", []) if parent else None
    return [f"{parent}{'.' if parent else ''}{found.name}" for found in pkgutil.iter_modules(path)]


def resolve(selector: str, *, short_names: bool = False) -> gin_config.Configurable:
    """Returns gin's entry for a name as written in the file that is being read.

    Args:
      selector: The name, without scopes.
      short_names: Whether a name without its module will do if only one thing in use has it. It
        does on the command line, where the modules are those of the files; a file names modules,
        so that it can be read alone.

    Raises:
      UserError: if the name stands for nothing that can be configured.
    """
    context = gin_config._parse_context()
    if not context._dynamic_registration:
        return _resolve_registered(selector)
    symbol, *rest = selector.split(".")
    if symbol not in context._symbol_table:
        found = _imported(context, selector) if short_names else []
        if len(found) == 1:
            return found[0]
        near = spelling.nearest(symbol, [name for name in context._symbol_table if name != "gin"])
        raise errors.UserError(f"'{selector}': no import of this file provides '{symbol}'.{near}")
    value, so_far = context._symbol_table[symbol], symbol
    for name in rest:
        if not hasattr(value, name):
            raise errors.UserError(
                f"{so_far} has no '{name}'.{spelling.nearest(name, _callables(value))}"
            )
        value, so_far = getattr(value, name), f"{so_far}.{name}"
    if not callable(value):
        raise errors.UserError(f"'{selector}' is neither a function nor a class")
    return context.get_configurable(selector)


def _imported(context, selector: str) -> list[gin_config.Configurable]:
    """Returns what has this short name, of the modules that the files import."""
    modules = {statement.module for statement in context.imports}
    return [
        found
        for found in gin_config._REGISTRY.get_all_matches(selector)
        if found.import_source and found.import_source[0].module in modules
    ]


def _callables(value: Any) -> list[str]:
    return [n for n in dir(value) if not n.startswith("_") and callable(getattr(value, n))]


def _resolve_registered(selector: str) -> gin_config.Configurable:
    configurables = gin_config._REGISTRY.get_all_matches(selector)
    if len(configurables) == 1:
        return configurables[0]
    names = [name for name, _ in gin_config._REGISTRY.items()]
    near = spelling.nearest(selector, [*names, *(short_name(name) for name in names)])
    raise errors.UserError(
        f"gin knows no '{selector}' here; does the file begin with "
        f"'from __gin__ import dynamic_registration' and import its module?{near}"
    )


class NamingDelegate(gin_config.ParserDelegate):
    """gin's maker of references, with our message for a name that stands for nothing."""

    def __init__(self, *, short_names: bool = False):
        super().__init__()
        self._short_names = short_names

    def configurable_reference(self, scoped_selector, evaluate):
        """See base class."""
        scope, slash, selector = scoped_selector.rpartition("/")
        found = resolve(selector, short_names=self._short_names)
        if self._short_names and found.import_source:
            selector = _full_name(*found.import_source)
        return super().configurable_reference(f"{scope}{slash}{selector}", evaluate)


def _full_name(statement: config_parser.ImportStatement, name: str) -> str:
    """Returns the name of something within a file that has this import statement."""
    by_name = statement.is_from or statement.alias
    return f"{statement.bound_name() if by_name else statement.module}.{name}"
