# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Which of gin's bindings a call can ever use: a walk over the references from that call.

gin is silent about a binding that nothing uses (a misspelt scope, a misspelt macro definition, a
configurable that nothing refers to). The walk below follows gin's own rules from one function, so
the silence is broken before anything is built, and whatever the mode of the run is: a binding that
only evaluation uses is reached during training too.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gin import config as gin_config

from official_cvrl import gin_names, spelling

Key = tuple[str, str]  # (scope as "a/b", complete selector), as in gin's own tables.
Binding = tuple[str, str, str]  # (scope, complete selector, parameter).


@dataclasses.dataclass
class Ledger:
    """What was bound where, and what it replaced; gin keeps the last value only.

    Attributes:
      locations: Binding in force → "file:line" where it is written.
      serials: Binding in force → its number in the order of writing.
      replaced: Binding → the values it had before, each with the number of the one that followed.
    """

    locations: dict[Binding, str] = dataclasses.field(default_factory=dict)
    serials: dict[Binding, int] = dataclasses.field(default_factory=dict)
    replaced: dict[Binding, list[tuple[Any, int]]] = dataclasses.field(default_factory=dict)

    def write(self, binding: Binding, value: Any, location: str) -> None:
        """Binds a value in gin's tables and remembers where that was."""
        scope, selector, parameter = binding
        values = gin_config._CONFIG.setdefault((scope, selector), {})
        serial = len(self.serials) + sum(map(len, self.replaced.values()))
        if parameter in values:
            self.replaced.setdefault(binding, []).append((values[parameter], serial))
        values[parameter] = value
        self.locations[binding] = location
        self.serials[binding] = serial

    def place(self, binding: Binding) -> str:
        """Returns "file:line: name" of a binding."""
        return f"{self.locations[binding]}: {gin_names.binding_name(*binding)}"


@dataclasses.dataclass
class Reach:
    """What a walk found.

    Attributes:
      exact: Keys whose bindings take effect for certain when their configurable is called.
      late: Keys that take effect only if an unscoped `@name` is called before the scoped call that
        it was handed to has returned.
      left: Keys that only replaced values lead to → number of the binding that replaced them. What
        was bound before that is left over (an included file's optimizer, when another is chosen);
        what is bound after that is a mistake.
      undefined: Macros without a definition, each with the binding that uses it.
      required: Bindings still at `%gin.REQUIRED`.
      missing: Arguments without default or binding of what gin will call.
    """

    exact: set[Key] = dataclasses.field(default_factory=set)
    late: set[Key] = dataclasses.field(default_factory=set)
    left: dict[Key, int] = dataclasses.field(default_factory=dict)
    undefined: list[tuple[str, Binding]] = dataclasses.field(default_factory=list)
    required: list[Binding] = dataclasses.field(default_factory=list)
    missing: list[Binding] = dataclasses.field(default_factory=list)

    @property
    def keys(self) -> set[Key]:
        """Every key that may take effect."""
        return self.exact | self.late


def walk(roots: Mapping[str, Collection[str]], ledger: Ledger) -> Reach:
    """Returns what is reached from calls outside all scopes.

    Args:
      roots: Complete selectors of the functions that are called → names of the arguments that the
        caller gives, which need no binding.
      ledger: What was bound.
    """
    steps = _Walk(ledger)
    for selector, given in roots.items():
        steps.visit((), gin_config._REGISTRY[selector], _How(evaluated=True), given=given)
    return steps.reach


@dataclasses.dataclass(frozen=True)
class _How:
    """How a configurable is come by: as @name() or @name; see `Reach` for the others."""

    evaluated: bool
    late: bool = False
    left: int | None = None


class _Walk:
    """The recursion of `walk`."""

    def __init__(self, ledger: Ledger):
        self.reach = Reach()
        self._ledger = ledger
        self._visited: set[tuple] = set()

    def visit(self, scopes: tuple[str, ...], configurable, how: _How, given=()):
        """Visits a configurable as called within `scopes`, and all that its bindings refer to."""
        if (scopes, configurable.selector, how) in self._visited:
            return
        self._visited.add((scopes, configurable.selector, how))
        for key in _keys(scopes, configurable.selector):
            self._mark(key, how)
        bound = effective_bindings(scopes, configurable.selector)
        if how.evaluated and how.left is None:
            self._check_complete(scopes, configurable, {*bound, *given})
        for binding, value in bound.values():
            self._follow_all(value, scopes, binding, how)
        for binding, value, serial in self._replaced(scopes, configurable.selector, bound):
            left = serial if how.left is None else how.left
            self._follow_all(value, scopes, binding, dataclasses.replace(how, left=left))

    def _mark(self, key: Key, how: _How):
        if how.left is not None:
            self.reach.left[key] = max(how.left, self.reach.left.get(key, 0))
        else:
            (self.reach.late if how.late else self.reach.exact).add(key)

    def _replaced(self, scopes, selector, bound):
        """Yields values that were overwritten, or that an inner scope's binding hides."""
        for scope, _ in _keys(scopes, selector):
            for name, value in gin_config._CONFIG.get((scope, selector), {}).items():
                binding = (scope, selector, name)
                for old_value, serial in self._ledger.replaced.get(binding, []):
                    yield binding, old_value, serial
                if bound[name][0] != binding:
                    yield binding, value, self._ledger.serials[bound[name][0]]

    def _follow_all(self, value, scopes, binding, how):
        for reference in gin_config.iterate_references(value):
            self._follow(reference, scopes, binding, how)

    def _follow(self, reference, scopes, binding, how):
        target, in_force = reference.configurable, how.left is None
        inner = tuple(reference.scopes) or scopes
        if target.selector == "gin.constant":
            if in_force and reference.scoped_configurable_fn() is gin_config.REQUIRED:
                self.reach.required.append(binding)
        elif gin_names.is_macro(target.selector) and not effective_bindings(inner, target.selector):
            if in_force:
                self.reach.undefined.append(("/".join(inner), binding))
        elif reference.evaluate or reference.scopes or not scopes:
            self.visit(inner, target, dataclasses.replace(how, evaluated=reference.evaluate))
        else:  # Python calls it later, inside the scope or when it has been left.
            self.visit((), target, dataclasses.replace(how, evaluated=False))
            self.visit(scopes, target, dataclasses.replace(how, evaluated=False, late=True))

    def _check_complete(self, scopes, configurable, has):
        if gin_names.is_macro(configurable.selector):
            return
        for name, parameter in (gin_names.parameters(configurable.wrapped) or {}).items():
            if parameter.default is parameter.empty and name not in has:
                self.reach.missing.append(("/".join(scopes), configurable.selector, name))


def _keys(scopes: tuple[str, ...], selector: str) -> list[Key]:
    """Returns the keys whose bindings a call within `scopes` sees, outermost first."""
    return [("/".join(scopes[:end]), selector) for end in range(len(scopes) + 1)]


def effective_bindings(scopes: tuple[str, ...], selector: str) -> dict[str, tuple[Binding, Any]]:
    """Returns parameter → (binding, value) of a call within `scopes`; inner scopes win."""
    return {
        name: ((*key, name), value)
        for key in _keys(scopes, selector)
        for name, value in gin_config._CONFIG.get(key, {}).items()
    }


def resolved(binding: Binding) -> tuple[Any, Binding]:
    """Returns what is bound, through macros, and the binding that it is written in."""
    value = gin_config._CONFIG[binding[:2]][binding[2]]
    while gin_names.is_macro(getattr(getattr(value, "configurable", None), "selector", "")):
        binding = ("/".join(value.scopes), "gin.macro", "value")
        value = gin_config._CONFIG.get(binding[:2], {}).get("value", "undefined")
    return value, binding


def bindings() -> Iterator[Binding]:
    """Yields everything that was configured."""
    for (scope, selector), values in gin_config._CONFIG.items():
        for parameter in values:
            yield scope, selector, parameter


def faults(reach: Reach, ledger: Ledger) -> list[str]:
    """Returns a line for each thing amiss: its place, its name, why, and the nearest right name."""
    macros = [scope for scope, selector, _ in bindings() if gin_names.is_macro(selector)]
    found = [
        f"{ledger.place(binding)}: macro %{name} is not defined."
        f"{spelling.nearest(name, [*macros, 'gin.REQUIRED'])}"
        for name, binding in reach.undefined
    ]
    found += [
        f"{ledger.place(binding)} is required but not set; give it as "
        f"--gin_param='{gin_names.binding_name(*binding)} = …'"
        for binding in reach.required
    ]
    found += [
        f"{gin_names.short_name(selector)} needs a value for '{name}'; bind "
        f"{gin_names.binding_name(scope, selector, name)}"
        for scope, selector, name in reach.missing
    ]
    found += [
        f"{ledger.place(binding)} is never used: {_why_unused(binding, reach)}"
        for binding in bindings()
        if binding[:2] not in reach.keys
        and ledger.serials[binding] > reach.left.get(binding[:2], -1)
    ]
    return list(dict.fromkeys(found))


def _why_unused(binding: Binding, reach: Reach) -> str:
    scope, selector, _ = binding
    if gin_names.is_macro(selector):
        used = [name for name, reached in reach.keys if gin_names.is_macro(reached)]
        used += [name for name, _ in reach.undefined]
        return f"no value refers to %{scope}.{spelling.nearest(scope, used)}"
    scopes = {reached_scope for reached_scope, reached in reach.keys if reached == selector}
    if scopes:
        return f"it is not called in a scope '{scope}'.{spelling.nearest(scope, scopes)}"
    used = [gin_names.short_name(reached) for _, reached in reach.keys if "gin." not in reached]
    name = gin_names.short_name(selector)
    return f"nothing in use refers to @{name}.{spelling.nearest(name, used)}"


def faults_after_building(reach: Reach, ledger: Ledger) -> list[str]:
    """Returns a line for each binding that the calls made so far have passed over.

    What has not been called at all yet (evaluation, while training) is not judged here: `walk` has
    shown that it can be called.
    """
    found = []
    for binding in bindings():
        scope, selector, parameter = binding
        calls = [
            (called_scope, values)
            for (called_scope, called), values in list(gin_config._OPERATIVE_CONFIG.items())
            if called == selector and not gin_names.is_macro(selector)
        ]
        inside = [values for called, values in calls if _is_within(called, scope)]
        if calls and not inside and (scope, selector) not in reach.exact:
            reason = f"the call has left the scope; pass @{scope}/{gin_names.short_name(selector)}"
        elif inside and not any(parameter in values for values in inside):
            reason = "the program sets this argument itself"
        else:
            continue
        found.append(f"{ledger.place(binding)} is never used: {reason}")
    return found


def _is_within(called_scope: str, scope: str) -> bool:
    return not scope or f"{called_scope}/".startswith(f"{scope}/")
