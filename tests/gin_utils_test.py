# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""Every gin mistake is refused by name; what is saved gives the same run again."""

import importlib
import os
import pathlib
import re
import sys
import textwrap

import pytest
from gin import config as gin_config

from official_cvrl import errors, gin_utils
from tests import gin_toys

_GOOD = """
    from __gin__ import dynamic_registration
    from cvrl_toys import toys

    LEARNING_RATE = 0.25

    toys.run:
        task = @pretrain/toys.Task()
        optimizer = @toys.sgd
        num_steps = 3
    pretrain/toys.Task.backbone = @toys.Backbone
    pretrain/toys.Task.augmentation = @toys.Augmentation()
    toys.Backbone.depth = 18
    toys.Augmentation.blur = 0.25
    toys.sgd.learning_rate = %LEARNING_RATE
"""


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    (folder / "cvrl_toys").mkdir()
    (folder / "cvrl_toys" / "__init__.py").write_text("")
    (folder / "cvrl_toys" / "toys.py").write_text(gin_toys.MODULE)
    (folder / "cvrl_toys" / "needy.py").write_text("import no_such_dependency\n")
    sys.path.insert(0, str(folder))
    yield importlib.import_module("cvrl_toys.toys")
    sys.path.remove(str(folder))


@pytest.fixture
def folder(tmp_path, monkeypatch, toys):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(name, text):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "w") as file:
        file.write(textwrap.dedent(text))
    return name


def _run(toys, *lines, params=(), **given):
    """Parses the good file with more lines after it, and runs it as train.py does."""
    more = "".join(f"{line}\n" for line in lines)
    gin_utils.parse([_write("run.gin", textwrap.dedent(_GOOD) + more)], params)
    return gin_utils.configured(toys.run)(on_built=gin_utils.check_all_used, **given)


def _line_of(text):
    with open("run.gin") as file:
        return next(n for n, line in enumerate(file, start=1) if text in line)


def test_good_file_builds_what_it_says(toys, folder):
    result = _run(toys)
    assert result["num_steps"] == 3
    assert result["model_dir"] == "runs"
    assert result["task"].backbone.depth == 18
    assert type(result["task"].backbone) is toys.Backbone
    assert result["task"].augmentation == toys.Augmentation(blur=0.25)


@pytest.mark.parametrize(
    ("lines", "wrong", "right"),
    [
        (["include 'fragmnt.gin'"], "fragmnt.gin", "fragment.gin"),
        (["from cvrl_toys import toyz"], "cvrl_toys.toyz", "cvrl_toys.toys"),
        (["import cvrl_toy"], "cvrl_toy", "cvrl_toys"),
        (
            ["from __gin__ import dynamic_registraton"],
            "dynamic_registraton",
            "dynamic_registration",
        ),
        (["toyz.sgd.momentum = 0.5"], "toyz", "toys"),
        (["toys.sdg.momentum = 0.5"], "sdg", "sgd"),
        (["toys.sdg:", "    momentum = 0.5"], "sdg", "sgd"),
        (["toys.run.optimizer = @toys.larz"], "larz", "lars"),
        (["toys.run.task = @toys.task()"], "task", "Task"),
        (["toys.sgd.momentun = 0.5"], "momentun", "momentum"),
        (["toys.sgd:", "    momentun = 0.5"], "momentun", "momentum"),
        (["toys.Backbone.detph = 5"], "detph", "depth"),
        (["toys.run.num_steps = %NUM_STEP", "NUM_STEPS = 3"], "NUM_STEP", "NUM_STEPS"),
        (["LEARNING_RTE = 0.5"], "LEARNING_RTE", "LEARNING_RATE"),
        (["pretain/toys.Task.temperature = 0.5"], "pretain/toys.Task.temperature", "pretrain"),
        (["toys.run.num_steps = %gin.REQIRED"], "gin.REQIRED", "gin.REQUIRED"),
        (["toys.lars.learning_rate = 0.5"], "toys.lars.learning_rate", "toys.sgd"),
    ],
)
def test_mistake_is_refused_with_place_and_nearest_name(toys, folder, lines, wrong, right):
    _write("fragment.gin", "")
    with pytest.raises(errors.UserError) as caught:
        _run(toys, *lines)
    message = str(caught.value)
    line = _line_of(wrong if lines[-1].startswith(" ") else lines[0])
    assert f"run.gin:{line}: " in message
    assert wrong in message
    assert re.search(rf"Did you mean .*'{re.escape(right)}'", message), message
    assert "\n" not in message or lines[-1] == "NUM_STEPS = 3"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("toys.run.num_steps = = 3", 1),
        ("\ntoys.run.model_dir = somewhere", 2),
        ("\n\ntoys.run.num_steps = [3,\n4", None),
        ("toys.run.model_dir = 'unclosed", 1),
        ("toys.run:\nnum_steps = 3", None),
        ("toys.run", None),
        ("x = 1e999", 1),
    ],
)
def test_syntax_error_names_file_and_line(toys, folder, text, line):
    with pytest.raises(errors.UserError, match=rf"bad\.gin:{line or '[0-9]+'}: \w+"):
        gin_utils.parse([_write("bad.gin", text)])


def test_gin_file_that_is_no_text(folder):
    (folder / "weights.gin").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(errors.UserError, match=r"weights\.gin"):
        gin_utils.parse(["weights.gin"])


def test_module_that_lacks_a_dependency_is_not_called_missing(toys, folder):
    with pytest.raises(errors.UserError, match="needy cannot be imported.*no_such_dependency"):
        _run(toys, "from cvrl_toys import needy")


def test_file_without_dynamic_registration_is_told_so(toys, folder):
    path = _write("old.gin", "import cvrl_toys\ncvrl_toys.no_such_thing.x = 3\n")
    with pytest.raises(errors.UserError, match="old.gin:2: .*dynamic_registration"):
        gin_utils.parse([path])


def test_module_in_place_of_a_function(toys, folder):
    with pytest.raises(errors.UserError, match="'toys' is neither a function nor a class"):
        _run(toys, "toys.run.optimizer = @toys")


def test_required_value_can_come_from_a_macro_a_parameter_or_the_command_line(toys, folder):
    lines = ["toys.run.num_steps = %gin.REQUIRED", "toys.run.model_dir = %MODEL_DIR"]
    lines += ["MODEL_DIR = %gin.REQUIRED"]
    with pytest.raises(errors.UserError) as caught:
        _run(toys, *lines)
    assert f"run.gin:{_line_of(lines[0])}: toys.run.num_steps is required" in str(caught.value)
    assert f"run.gin:{_line_of(lines[2])}: MODEL_DIR is required" in str(caught.value)
    result = _run(toys, *lines, params=["toys.run.num_steps = 7"], model_dir="here")
    assert (result["num_steps"], result["model_dir"]) == (7, "here")
    assert _run(toys, *lines, params=["MODEL_DIR = 'm'"], num_steps=1)["model_dir"] == "m"


def test_argument_without_a_value_is_named(toys, folder):
    with pytest.raises(errors.UserError, match="toys.Task needs a value for 'backbone'"):
        _run(toys, "toys.run.task = @other/toys.Task()")


def test_what_a_later_choice_replaces_may_stay(toys, folder):
    assert _run(toys, "toys.run.optimizer = @toys.lars")["num_steps"] == 3
    assert _run(toys, params=["toys.run.optimizer = @toys.lars"])["num_steps"] == 3
    scoped = ["pretrain/toys.Task.augmentation = @other/toys.Augmentation()"]
    scoped += ["toys.Task.augmentation = @hidden/toys.Augmentation()"]
    with pytest.raises(errors.UserError, match="hidden/toys.Augmentation.blur is never used"):
        _run(toys, *scoped, "hidden/toys.Augmentation.blur = 0.1")


def test_binding_of_what_was_replaced_before_is_refused(toys, folder):
    late = "toys.sgd.momentum = 0.5"
    with pytest.raises(errors.UserError, match="toys.sgd.momentum is never used") as caught:
        _run(toys, "toys.run.optimizer = @toys.lars", late)
    assert str(caught.value).startswith(f"run.gin:{_line_of(late)}: ")
    assert "\n" not in str(caught.value)


def test_bindings_of_another_mode_are_no_mistake(toys, folder):
    result = _run(toys, "toys.run.evaluate = @eval/toys.lars", "eval/toys.lars.learning_rate = 5.0")
    assert result["evaluate"]() == ("lars", 5.0)
    assert _run(toys, mode="eval")["mode"] == "eval"


def test_scope_that_is_left_before_the_call_is_refused(toys, folder):
    scoped = "pretrain/toys.Backbone.depth = 34"
    assert _run(toys, scoped)["task"].backbone.depth == 34
    with pytest.raises(errors.UserError, match="pass @pretrain/toys.Backbone") as caught:
        _run(toys, scoped, "toys.Task.build_late = True")
    assert f"run.gin:{_line_of(scoped)}: pretrain/toys.Backbone.depth" in str(caught.value)
    late = [scoped, "toys.Task.build_late = True", "toys.Task.backbone = @pretrain/toys.Backbone"]
    late.append("pretrain/toys.Task.backbone = @pretrain/toys.Backbone")
    assert _run(toys, *late)["task"].backbone.depth == 34


def test_argument_that_the_program_sets_itself_is_refused(toys, folder):
    text = """
        from __gin__ import dynamic_registration
        from cvrl_toys import toys
        toys.run_stubbornly.maker = @toys.lars
        toys.lars.learning_rate = 5.0
    """
    gin_utils.parse([_write("run.gin", text)])
    assert gin_utils.configured(toys.run_stubbornly)() == ("lars", 2.0)
    with pytest.raises(errors.UserError, match=r"run.gin:5: toys.lars.learning_rate .* itself"):
        gin_utils.check_all_used()


def test_wrong_value_is_the_users_mistake_and_has_its_place(toys, folder):
    with pytest.raises(errors.UserError) as caught:
        _run(toys, "toys.Augmentation.blur = 2.0")
    line = _line_of("blur = 2.0")
    assert str(caught.value).splitlines() == [
        "Augmentation: blur must be in [0, 1], got 2.0",
        f"  run.gin:{line}: toys.Augmentation.blur",
    ]


def test_value_that_a_constructor_stumbles_over_is_shown_with_its_place(toys, folder):
    with pytest.raises(errors.UserError) as caught:
        _run(toys, "toys.Augmentation.gamma = %GAMMA", "GAMMA = 'much'")
    message, *places = str(caught.value).splitlines()
    assert message.startswith("Augmentation: '>' not supported between")
    place = f"  run.gin:{_line_of('gamma = %GAMMA')}: toys.Augmentation.gamma = 'much'"
    assert place in places


@pytest.mark.parametrize(
    ("param", "why"),
    [
        ("LEARNING_RATE = 'fast'", "toys.sgd.learning_rate takes float or "),
        ("Augmentation.blur = 'much'", "toys.Augmentation.blur takes float, not 'much'"),
        ("Augmentation.ranges = 1", "toys.Augmentation.ranges takes tuple, not 1"),
        (
            "pretrain/Task.augmentation = @toys.Augmentation",
            "pretrain/toys.Task.augmentation takes an object; write @toys.Augmentation()",
        ),
        (
            "pretrain/Task.augmentation = 3",
            "pretrain/toys.Task.augmentation takes Augmentation or None, not 3",
        ),
    ],
)
def test_value_of_a_wrong_kind_is_refused_before_anything_is_built(toys, folder, param, why):
    with pytest.raises(errors.UserError) as caught:
        _run(toys, params=[param])
    message = str(caught.value)
    assert message.startswith(f"--gin_param={param}: {why}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "param",
    ["pretrain/Task.augmentation = None", "LEARNING_RATE = 1", "Augmentation.ranges = [0.1, 1]"],
)
def test_value_of_a_kind_that_is_as_good_is_taken(toys, folder, param):
    _run(toys, params=[param])


def test_wrong_argument_of_the_run_itself_is_the_users_mistake(toys, folder):
    with pytest.raises(errors.UserError) as caught:
        _run(toys, params=["toys.run.num_steps = %STEPS", "STEPS = 0"])
    assert str(caught.value) == "--gin_param=STEPS = 0: num_steps=0 must be at least 1."


def test_programmers_mistake_stays_one(toys, folder):
    with pytest.raises(RuntimeError, match="a programmer's mistake"):
        _run(toys, mode="fail")


@pytest.mark.parametrize("kind", [errors.UserError, errors.TryAgain])
def test_user_error_from_inside_keeps_its_message(toys, folder, kind):
    def complain():
        raise kind("nothing there")

    gin_utils.parse([_write("run.gin", _GOOD)])
    with pytest.raises(errors.UserError) as caught:
        gin_utils.configured(toys.run)(on_built=complain)
    assert (str(caught.value), caught.value.exit_code) == ("nothing there", kind.exit_code)


def test_command_line_overrides_parameters_override_files(toys, folder):
    result = _run(
        toys, params=["toys.run.num_steps = 8", "toys.lars.learning_rate = 1.0"][:1], mode=None
    )
    assert (result["num_steps"], result["mode"]) == (8, "train")
    assert _run(toys, params=["toys.run.num_steps = 8"], num_steps=9)["num_steps"] == 9


def test_parameter_reaches_what_only_an_include_imports(toys, folder):
    _write("inner.gin", "from __gin__ import dynamic_registration\nimport cvrl_toys.toys as t\n")
    result = _run(toys, "include 'inner.gin'", params=["t.Task.temperature = 0.5"])
    assert result["task"].temperature == 0.5


def test_parameter_may_leave_the_module_out(toys, folder):
    params = ["run.num_steps = 5", "pretrain/Task.backbone = @pretrain/Backbone"]
    result = _run(toys, params=[*params, "Backbone.depth = 101", "run.optimizer = @toys.lars"])
    assert result["num_steps"] == 5
    assert result["task"].backbone.depth == 101
    with pytest.raises(errors.UserError, match="no import of this file provides 'run'"):
        _run(toys, "run.num_steps = 5")


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("toys.sgd.momentun = 1", "--gin_param=toys.sgd.momentun = 1: .*Did you mean 'momentum'"),
        (
            "toys.run.model_dir = some/where",
            "--gin_param=.*: cannot be read: 'some' is no value",
        ),
        ("NUM_STEPS", "--gin_param=NUM_STEPS: cannot be read: write NAME = VALUE, .* in quotes"),
        ("NUM_STEPS = 1", "--gin_param=NUM_STEPS = 1: NUM_STEPS is never used"),
    ],
)
def test_wrong_parameter_is_quoted(toys, folder, param, message):
    with pytest.raises(errors.UserError, match=message):
        _run(toys, params=[param])


def test_include_is_found_beside_its_file_and_mistakes_in_it_are_its_own(toys, folder):
    _write("sub/deep/more.gin", "DEPTH = 101\n")
    _write("sub/part.gin", "include 'deep/more.gin'\n")
    lines = ["include 'sub/part.gin'", "toys.Backbone.depth = %DEPTH"]
    assert _run(toys, *lines)["task"].backbone.depth == 101
    _write("sub/deep/more.gin", "\nDEPTH = = 3\n")
    with pytest.raises(errors.UserError, match=r"^sub/deep/more.gin:2: cannot be read"):
        _run(toys, *lines)


def test_circle_of_includes(toys, folder):
    _write("run2.gin", "include 'run3.gin'")
    _write("run3.gin", "include 'run2.gin'")
    with pytest.raises(
        errors.UserError, match="circle of includes: run2.gin → run3.gin → run2.gin"
    ):
        gin_utils.parse(["run2.gin"])


def test_find_gin_file(folder, monkeypatch):
    monkeypatch.setattr(gin_utils, "CONFIGS_DIR", str(folder / "configs"))
    _write("configs/pretrain.gin", "")
    _write("configs/paper/k400.gin", "")
    assert gin_utils.find_gin_file("pretrain.gin") == str(folder / "configs" / "pretrain.gin")
    assert gin_utils.find_gin_file("configs/pretrain.gin") == "configs/pretrain.gin"
    with pytest.raises(errors.UserError, match=r"'pretrian.gin'.*Did you mean 'pretrain.gin'"):
        gin_utils.find_gin_file("pretrian.gin")
    with pytest.raises(errors.UserError, match=r"'papr/k400.gin'.*'paper/k400.gin'"):
        gin_utils.find_gin_file("papr/k400.gin")


def _in_force():
    return {key: dict(values) for key, values in gin_config._CONFIG.items()}


def test_saved_configuration_gives_the_same_run_again(toys, folder):
    lines = [
        "NESTED = {'a': (1, -2.5e-7), 'b': [True, None, 'it\\'s'], 'c': %LEARNING_RATE}",
        "toys.Backbone.options = {'nested': %NESTED, 'maker': @eval/toys.lars, 'long': '"
        + "many words " * 20
        + "'}",
        "eval/toys.lars.learning_rate = 5.0",
        "toys.Augmentation.ranges = (0.1, 0.2)",
        "toys.run.evaluate = [@toys.Augmentation(), {'x': @eval/toys.lars()}]",
        "import cvrl_toys.toys as again",
        "again.Task.temperature = 0.5",
    ]
    first = _run(toys, *lines, model_dir="runs/a", num_steps=4)
    before, text = _in_force(), gin_utils.operative_config()
    path = gin_utils.save_operative_config("runs/a")
    gin_utils.parse([path])
    after = _in_force()
    for key, values in before.items():
        assert repr(values) == repr({name: after[key][name] for name in values})
    second = gin_utils.configured(toys.run)(on_built=gin_utils.check_all_used)
    assert second["model_dir"] == "runs/a"
    assert second["num_steps"] == 4
    assert (
        second["evaluate"]
        == first["evaluate"]
        == [toys.Augmentation(0.25, (0.1, 0.2)), {"x": ("lars", 5.0)}]
    )
    options, again = first["task"].backbone.options, second["task"].backbone.options
    assert options.pop("maker")() == again.pop("maker")() == ("lars", 5.0)
    assert options == again
    assert gin_utils.operative_config() == text
    assert "Augmentation.blur" in text
    assert "sgd.momentum = 0.9" in text  # A default, written down.


def test_saved_configuration_is_rid_of_what_was_replaced(toys, folder):
    _run(toys, params=["toys.run.optimizer = @toys.lars"])
    text = gin_utils.operative_config()
    assert "sgd" not in text
    assert "LEARNING_RATE" not in text
    gin_utils.parse([_write("again.gin", text)])
    gin_utils.configured(toys.run)(on_built=gin_utils.check_all_used)


def test_configuration_that_cannot_be_saved(toys, folder):
    _run(toys)
    _write("occupied", "")
    with pytest.raises(errors.UserError, match="occupied/config.gin cannot be wr.*; choose"):
        gin_utils.save_operative_config("occupied")


def test_other_settings_in_the_folder_of_a_run_are_refused(toys, folder):
    _run(toys, params=["LEARNING_RATE = 0.25"])
    path = gin_utils.save_operative_config("runs/a")
    with open(path, encoding="utf-8") as file:
        before = file.read()
    _run(toys, params=["LEARNING_RATE = 0.5"])
    expected = r"runs/a holds a run with other.*\n  LEARNING_RATE is 0.25 there, 0.5 now\n.*Give"
    with pytest.raises(errors.UserError, match=expected):
        gin_utils.save_operative_config("runs/a")
    with open(path, encoding="utf-8") as file:
        assert file.read() == before
    for other in ("LEARNING", "RATE", "toys.LEARNING_RATE"):
        with pytest.raises(errors.UserError, match="LEARNING_RATE is 0.25 there"):
            gin_utils.save_operative_config("runs/a", may_change=(other,))
    gin_utils.save_operative_config("runs/a", may_change=("LEARNING_RATE",))
    _run(toys, params=["LEARNING_RATE = 0.75"])
    gin_utils.save_operative_config("runs/a", begun=False)


@pytest.mark.parametrize("scope", ["", "fast/"])
@pytest.mark.parametrize("first", [[], ["toys.sgd.momentum = 0.5"]])
def test_a_finished_run_keeps_its_file_and_takes_no_other_settings(toys, folder, scope, first):
    """What it trained with is not called any more, so gin does not tell its defaults."""
    optimizer = [f"toys.run.optimizer = @{scope}toys.sgd"]
    _run(toys, params=[*optimizer, *first])
    path = gin_utils.save_operative_config("runs/a")
    before = pathlib.Path(path).read_text()
    assert f"\n{scope}toys.sgd.momentum = " in before
    again = {"may_change": ("run.mode",), "finished": True}
    _run(toys, params=[*optimizer, *first], mode="eval")
    assert f"\n{scope}toys.sgd.momentum = 0.9" not in gin_utils.operative_config()
    gin_utils.save_operative_config("runs/a", **again)
    other = [] if first else ["toys.sgd.momentum = 0.5"]
    _run(toys, params=[*optimizer, *other], mode="eval")
    values = "0.5 there, 0.9 now" if first else "0.9 there, 0.5 now"
    with pytest.raises(errors.UserError, match=f"toys.sgd.momentum is {values}"):
        gin_utils.save_operative_config("runs/a", **again)
    assert pathlib.Path(path).read_text() == before


def test_saving_leaves_nothing_half(toys, folder):
    _run(toys)
    gin_utils.save_operative_config("runs/a")
    gin_utils.save_operative_config("runs/a")
    assert os.listdir("runs/a") == ["config.gin"]
