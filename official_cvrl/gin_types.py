# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Values of a kind that their parameter does not take: text for a number, a reference not called.

gin hands everything through, and what is wrong shows where the value is used at last, in another's
words. Annotations are looked at as far as they say something for certain: numbers, text, truth
values, collections, callables and dataclasses.
"""

import collections.abc
import dataclasses
import inspect
import types
import typing
from typing import Any

from gin import config as gin_config

from official_cvrl import gin_names, gin_reach

_ALSO_TAKEN = {float: (int,), bool: (int,), tuple: (list,), list: (tuple,)}
_KNOWN_MODULES = ("builtins", "collections.abc")


def faults(reach: gin_reach.Reach, ledger: gin_reach.Ledger) -> list[str]:
    """Returns a line for each binding in use whose value is of a wrong kind: places and ways out.

    Args:
      reach: what is in use.
      ledger: what was bound where.
    """
    found: dict[gin_reach.Binding, str] = {}  # One macro may be wrong in several places.
    for binding in gin_reach.bindings():
        scope, selector, name = binding
        if (scope, selector) not in reach.keys or gin_names.is_macro(selector):
            continue
        known = gin_names.parameters(gin_config._REGISTRY[selector].wrapped) or {}
        value, written = gin_reach.resolved(binding)
        if name in known and (wanted := _wanted_instead(value, known[name])):
            place = f"{ledger.locations[written]}: {gin_names.binding_name(*binding)}"
            found.setdefault(written, f"{place} takes {wanted}")
    return list(found.values())


def _wanted_instead(value: Any, parameter: inspect.Parameter) -> str:
    """Returns what a parameter takes instead of a value, "" if it may take that."""
    kinds = _kinds(parameter.annotation)
    if not all(inspect.isclass(kind) for kind in kinds):
        return ""
    if isinstance(value, gin_config.ConfigurableReference):
        if value.evaluate or any(_may_be_uncalled(kind) for kind in kinds):
            return ""
        return f"an object; write {_written(value)}()"
    judged = [kind for kind in kinds if _is_certain(kind)]
    if not judged or value is parameter.default or any(_is_a(value, kind) for kind in judged):
        return ""
    return f"{' or '.join(_said(kind) for kind in kinds)}, not {value!r}"


def _kinds(annotation: Any) -> list[Any]:
    """Returns the alternatives of an annotation without their parts: `tuple` of tuple[int, int]."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in _kinds(part)]
    if annotation in (inspect.Parameter.empty, typing.Any):
        return [object]
    return [origin or annotation]


def _may_be_uncalled(kind: type) -> bool:
    is_protocol = getattr(kind, "_is_protocol", False)
    return is_protocol or kind in (object, type, collections.abc.Callable)


def _written(reference: gin_config.ConfigurableReference) -> str:
    """Returns a reference as gin files have it, with the last of its modules."""
    scopes = "".join(f"{scope}/" for scope in reference.scopes)
    return f"@{scopes}{gin_names.short_name(reference.configurable.selector)}"


def _is_certain(kind: type) -> bool:
    return kind.__module__ in _KNOWN_MODULES or _is_none(kind) or dataclasses.is_dataclass(kind)


def _is_none(kind: type) -> bool:
    return kind is type(None)


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, (kind, *_ALSO_TAKEN.get(kind, ())))


def _said(kind: type) -> str:
    return "None" if _is_none(kind) else kind.__name__
