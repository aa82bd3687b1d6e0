# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The one place that speaks gin: find, parse, refuse mistakes by name, call, save; knows no model.

A command does, in this order:

    gin_utils.parse(["pretrain.gin"], ["NUM_STEPS = 100"])
    gin_utils.configured(experiment.run)(model_dir=…, on_built=gin_utils.check_all_used)

gin keeps its configuration in global tables, so there is one configuration per process; `parse`
begins a new one.
"""

import dataclasses
import functools
import io
import math
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import tensorflow as tf
from gin import config as gin_config
from gin import config_parser

from official_cvrl import (
    errors,
    filesystems,
    gin_errors,
    gin_names,
    gin_reach,
    gin_types,
    outputs,
    spelling,
)

CONFIGS_DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "configs")
CONFIG_FILE = "config.gin"

_PLAIN = (str, bool, int, float)


@dataclasses.dataclass
class _Parsed:
    """What we remember beside gin's own tables.

    Attributes:
      ledger: What was bound where.
      imports: Import statements of all files, in order and without their locations.
      roots: Complete selector of each function called by `configured` → arguments it was given.
    """

    ledger: gin_reach.Ledger = dataclasses.field(default_factory=gin_reach.Ledger)
    imports: dict[config_parser.ImportStatement, None] = dataclasses.field(default_factory=dict)
    roots: dict[str, frozenset[str]] = dataclasses.field(default_factory=dict)


_parsed = _Parsed()


def find_gin_file(name: str) -> str:
    """Returns the path of a gin file, looked for as given and then in `configs/`.

    Raises:
      UserError: if there is no such file; names the nearest ones.
    """
    return _find(name, folders=["", CONFIGS_DIR])


def _find(name: str, *, folders: Sequence[str]) -> str:
    filesystems.openable_path(name)  # Refuses what cannot be opened.
    for folder in dict.fromkeys(folders):
        path = os.path.join(folder, name)
        if tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path):
            return path
    near = spelling.nearest(name, _known_gin_files(os.path.dirname(name), folders))
    raise errors.UserError(f"there is no gin file '{name}', here or in configs/.{near}")


def _known_gin_files(subfolder: str, folders: Sequence[str]) -> set[str]:
    """Returns the names of all files in `configs/`, and beside where one was looked for."""
    found = {
        os.path.relpath(os.path.join(root, file), CONFIGS_DIR)
        for root, _, files in os.walk(CONFIGS_DIR)
        for file in files
    }
    for folder in folders:
        path = os.path.join(folder, subfolder) or "."
        if os.path.isdir(path):
            found.update(os.path.join(subfolder, file) for file in os.listdir(path))
    return {name for name in found if name.endswith(".gin")}


def parse(gin_files: Sequence[str], gin_params: Sequence[str] = ()) -> None:
    """Begins a new configuration: reads gin files with their includes, then single bindings.

    Includes are looked for beside the including file, as given, and in `configs/`. The single
    bindings see every module that any of the files imports, and may leave the module out.

    Args:
      gin_files: Paths, or names in `configs/`.
      gin_params: Bindings that override the files', such as "NUM_STEPS = 100" or "run.seed = 1".

    Raises:
      UserError: for whatever gin cannot read or does not know, with file, line, and nearest name.
    """
    global _parsed
    _parsed = _Parsed()
    gin_config.clear_config()
    for gin_file in gin_files:
        _parse_file(find_gin_file(gin_file), including=())
    for gin_param in gin_params:
        source = io.StringIO(gin_param)
        source.name = f"--gin_param={gin_param}"
        _parse_source(source, imports=list(_parsed.imports), short_names=True)


def _parse_file(path: str, *, including: tuple[str, ...]):
    try:
        with tf.io.gfile.GFile(path) as file:
            source = io.StringIO(file.read())
    except (UnicodeDecodeError, tf.errors.OpError) as error:
        raise errors.UserError(f"gin file '{path}' cannot be read: {errors.words(error)}") from None
    source.name = path
    _parse_source(source, including=(*including, path))


def _parse_source(source, *, including=(), imports=(), short_names=False):
    """Reads statement by statement, as gin does, so that every mistake has its line."""
    with gin_config._parse_scope() as context:
        for statement in imports:
            context.process_import(statement)
        for statement in _statements(source, gin_names.NamingDelegate(short_names=short_names)):
            where = gin_errors.location(source.name, statement.location.line_num)
            if isinstance(statement, config_parser.IncludeStatement):
                _include(statement.filename, including=including, where=where)
            else:
                _apply(statement, context, where, short_names)
        gin_config._IMPORTS.update(context.imports)
        _parsed.imports.update((new._replace(location=None), None) for new in context.imports)


def _statements(source, delegate) -> Iterator[Any]:
    with gin_errors.of_syntax(source.name):
        parser = config_parser.ConfigParser(source, delegate)
    while True:
        with gin_errors.of_syntax(source.name):
            statement = next(parser, None)
        if statement is None:
            return
        yield statement


def _include(name: str, *, including: tuple[str, ...], where: str):
    with gin_errors.located(where):
        folder = os.path.dirname(including[-1]) if including else ""
        path = _find(name, folders=[folder, "", CONFIGS_DIR])
        if path in including:
            raise errors.UserError(f"a circle of includes: {' → '.join((*including, path))}")
    _parse_file(path, including=including)


def _apply(statement, context, where: str, short_names: bool):
    """Carries out one statement of a gin file."""
    with gin_errors.located(where):
        if isinstance(statement, config_parser.ImportStatement):
            gin_names.check_import(statement)
            context.process_import(statement)
        elif isinstance(statement, config_parser.BlockDeclaration):
            gin_names.resolve(statement.selector, short_names=short_names)
        else:
            _bind(statement, where, short_names)


def _bind(statement, where: str, short_names: bool):
    scope, selector, name = statement.scope, statement.selector, statement.arg_name
    if name:
        configurable = gin_names.resolve(selector, short_names=short_names)
        gin_names.check_parameter(configurable, name)
        binding = (scope, configurable.selector, name)
    else:
        binding = (f"{scope}/{selector}" if scope else selector, "gin.macro", "value")
    for part in gin_config._iterate_flattened_values(statement.value):
        if isinstance(part, float) and not math.isfinite(part):
            raise errors.UserError(f"{part} is not a finite number; gin could not write it back")
    _parsed.ledger.write(binding, statement.value, where)


def configured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function` with its arguments bound by the configuration.

    The result takes keyword arguments, for what the command line gives: None means not given, and
    leaves gin's binding or the function's default; text, numbers and truth values override gin's
    binding and are saved with the configuration; other values are handed through.

    Calling it raises UserError, before anything is built, for each binding that nothing can use,
    undefined macro, value still `%gin.REQUIRED`, argument without a value and value of a kind that
    its argument does not take; and for a ValueError or TypeError of a constructor that gin called,
    or that begins with a bound argument of `function`: what is wrong came out of the gin files.
    """

    @functools.wraps(function)
    def call(**given):
        selector = _registered(function).selector
        given = {name: value for name, value in given.items() if value is not None}
        plain = {name: value for name, value in given.items() if isinstance(value, _PLAIN)}
        for name, value in plain.items():
            _parsed.ledger.write(("", selector, name), value, f"--{name}")
        refuse_unusable(function, given=given)
        with gin_errors.of_call(function.__name__, _parsed.ledger):
            handed = {name: value for name, value in given.items() if name not in plain}
            return _registered(function).wrapper(**handed)

    return call


def refuse_unusable(function: Callable[..., Any], *, given: Collection[str]) -> None:
    """Raises what a call of `configured(function)` would before anything is built.

    Args:
      function: what is to be called.
      given: names of the arguments that the call gives.
    """
    _parsed.roots[_registered(function).selector] = frozenset(given)
    reach = gin_reach.walk(_parsed.roots, _parsed.ledger)
    _refuse(gin_reach.faults(reach, _parsed.ledger) or gin_types.faults(reach, _parsed.ledger))


def _registered(function) -> gin_config.Configurable:
    if gin_config._inverse_lookup(function) is None:
        gin_config.external_configurable(function)
    return gin_config._inverse_lookup(function)


def _refuse(faults: Sequence[str]):
    if faults:
        raise errors.UserError("\n".join(faults))


def check_all_used() -> None:
    """Compares what was configured with what was used; to be called before the first step.

    Raises:
      UserError: naming each binding that nothing can use, that is called outside its scope only,
        or whose argument the program always sets itself, with file and line.
    """
    reach = gin_reach.walk(_parsed.roots, _parsed.ledger)
    _refuse(gin_reach.faults(reach, _parsed.ledger))
    _refuse(gin_reach.faults_after_building(reach, _parsed.ledger))


def operative_config() -> str:
    """Returns gin text that gives this run again: its bindings, and defaults of what was called.

    gin's operative config leaves out what has not been called yet (evaluation, while training) and
    what the command line gave; gin's full config leaves out the defaults, which another version of
    the code may change, and keeps what a later choice has left over. This is what both are for.
    """
    merged = {key: dict(values) for key, values in list(gin_config._OPERATIVE_CONFIG.items())}
    for key, values in gin_config._CONFIG.items():
        merged.setdefault(key, {}).update(values)
    reached = gin_reach.walk(_parsed.roots, _parsed.ledger).keys if _parsed.roots else merged
    return gin_config._config_str({k: _in_order(v) for k, v in merged.items() if k in reached})


class _InOrder(dict):
    """A dict that pprint, through which gin writes values, does not sort."""

    def __repr__(self):
        return f"{{{', '.join(f'{key!r}: {value!r}' for key, value in self.items())}}}"


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return _InOrder((key, _in_order(part)) for key, part in value.items())
    if type(value) in (list, tuple):
        return type(value)(_in_order(part) for part in value)
    return value


def save_operative_config(
    model_dir: str,
    *,
    may_change: tuple[str, ...] = (),
    begun: bool = True,
    finished: bool = False,
) -> str:
    """Writes `operative_config()` to `model_dir`/config.gin, whole or not at all; returns its path.

    Args:
      model_dir: the run's folder.
      may_change: whose value may differ from that of a run found there: macros, parameters
        ("trainer.Loop.train_steps"), or configurables with all their parameters ("trainer.Loop").
      begun: False if the run found there never got to a checkpoint; then all of it may differ.
      finished: True if nothing is left to train; then the file stays what the run was trained with.

    Raises:
      UserError: if the directory cannot be written, or holds a run with other settings.
    """
    path = os.path.join(model_dir, CONFIG_FILE)
    text = operative_config()
    if begun:
        _refuse_other_settings(path, _values(text), may_change)
    if finished and tf.io.gfile.exists(path):
        return path
    way_out = "choose another --model_dir"
    try:
        tf.io.gfile.makedirs(model_dir)
    except tf.errors.OpError as error:
        told = f"{path} cannot be written: {errors.words(error)}; {way_out}."
        raise errors.UserError(told) from None
    outputs.save_text(path, text, way_out=way_out)
    return path


def _refuse_other_settings(path, new, may_change):
    """What the file does not have is a default of a later version, or of what was not called."""
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path) as file:
        old = _values(file.read())
    now = {name: _in_force(name, new) for name in old}
    differing = [
        f"\n  {name} is {old[name]} there, {now[name]} now"
        for name in sorted(old)
        if now[name] not in (None, old[name]) and not _is_among(may_change, name)
    ]
    if differing:
        raise errors.UserError(
            f"{os.path.dirname(path)} holds a run with other settings:{''.join(differing)}\n"
            "Give another --model_dir, or remove that folder."
        )


def _in_force(name, bound):
    """Returns what an argument is, as gin text; None if there is no such argument.

    It is bound in its scope or one around it, or has its default. gin tells defaults of what was
    called; what will only be called later will have them all the same.
    """
    *scopes, of_function = name.split("/")
    for depth in reversed(range(len(scopes) + 1)):
        if (around := "/".join([*scopes[:depth], of_function])) in bound:
            return bound[around]
    function, _, argument = of_function.rpartition(".")
    try:
        configurable = gin_names.resolve(function, short_names=True)
    except errors.UserError:
        return None
    known = (gin_names.parameters(configurable.wrapped) or {}).get(argument)
    if known is None or known.default is known.empty:
        return None
    only = {("", configurable.selector): {argument: _in_order(known.default)}}
    (text,) = _values(gin_config._config_str(only)).values() or ("its default",)
    return text


def _is_among(allowed, name):
    """A file's imports decide how much of a module's path a name begins with."""
    of_whole = name, name.rpartition(".")[0]
    return any(f".{part}".endswith(f".{entry}") for part in of_whole for entry in allowed)


def _values(text: str) -> dict[str, str]:
    """Returns what gin text binds, name by name, as written."""
    bindings = re.findall(r"^([^#\s]\S*) = (.*(?:\n[ \t]+.*)*)", text, re.MULTILINE)
    return {name: " ".join(value.replace("\\\n", " ").split()) for name, value in bindings}
