# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""How strong the spatial augmentation is: every number of Algorithm 1, in one place."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The distributions that a clip's appearance is drawn from; one draw per clip.

    The defaults are the published code's; `paper()` is Algorithm 1 as printed.

    Attributes:
        random_crop: False takes the largest square in the middle of each frame, and leaves the next
            two without a use.
        area_range: share of the frame's area that the crop covers.
        aspect_range: width over height of the crop.
        flip_probability: of a horizontal flip.
        jitter_probability: of colour jitter.
        brightness: factor drawn from [1 - b, 1 + b]; contrast and saturation alike.
        contrast: see brightness.
        saturation: see brightness.
        hue: shift drawn from [-h, h] turns of the colour circle, at most 0.5.
        grey_probability: of greyscale.
        blur_probabilities: of Gaussian blur, on the first and on the second view.
        blur_sigma_range: standard deviation of the blur, in pixels.
        solarize_probabilities: of solarisation, on the first and on the second view.
        temporally_consistent: False draws anew for each frame (Table 9, rows 2 and 3).
        rand_augment_operations: how many of RandAugment's operations follow crop and flip.
        rand_augment_magnitude: how strong they are, in [0, 10]: turns of up to 30°, shears of 0.3,
            shifts of 100 pixels in 224.

    Raises:
        ValueError: a probability or area outside [0, 1], a hue outside [0, 0.5], a negative
            strength or number, a magnitude outside [0, 10], a range that is none, or other than two
            numbers where there are two.
    """

    random_crop: bool = True
    area_range: tuple[float, float] = (0.3, 1.0)
    aspect_range: tuple[float, float] = (0.5, 2.0)
    flip_probability: float = 0.5
    jitter_probability: float = 0.8
    brightness: float = 0.8
    contrast: float = 0.8
    saturation: float = 0.8
    hue: float = 0.2
    grey_probability: float = 0.2
    blur_probabilities: tuple[float, float] = (1.0, 0.1)
    blur_sigma_range: tuple[float, float] = (0.1, 2.0)
    solarize_probabilities: tuple[float, float] = (0.0, 0.2)
    temporally_consistent: bool = True
    rand_augment_operations: int = 0
    rand_augment_magnitude: float = 9.0

    def __post_init__(self):
        for name in ("flip_probability", "jitter_probability", "grey_probability"):
            _check_probability(name, getattr(self, name))
        for name in ("blur_probabilities", "solarize_probabilities"):
            for probability in _pair(name, getattr(self, name)):
                _check_probability(name, probability)
        for name in ("brightness", "contrast", "saturation"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative.")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue={self.hue} must lie in [0, 0.5].")
        if not self.rand_augment_operations >= 0:
            raise ValueError(
                f"rand_augment_operations={self.rand_augment_operations} must not be negative."
            )
        if not 0 <= self.rand_augment_magnitude <= 10:
            raise ValueError(
                f"rand_augment_magnitude={self.rand_augment_magnitude} must lie in [0, 10]."
            )
        for name in ("area_range", "aspect_range", "blur_sigma_range"):
            low, high = _pair(name, getattr(self, name))
            if not 0 < low <= high:
                raise ValueError(f"{name}={(low, high)} must be positive and not decrease.")
        if self.area_range[1] > 1:
            raise ValueError(f"area_range={self.area_range} must not exceed the whole frame, 1.")

    def jitter_bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Returns what brightness, contrast, saturation and hue are at least, and at most."""
        factors = (self.brightness, self.contrast, self.saturation)
        low = tuple(max(0.0, 1.0 - strength) for strength in factors) + (-self.hue,)
        return low, tuple(1.0 + strength for strength in factors) + (self.hue,)


def published() -> Augmentation:
    """Returns the published code's augmentation, which blurs and solarises the views unalike."""
    return Augmentation()


def paper() -> Augmentation:
    """Returns Algorithm 1 as printed: blur always, no solarisation."""
    return Augmentation(blur_probabilities=(1.0, 1.0), solarize_probabilities=(0.0, 0.0))


def crop_flip_only() -> Augmentation:
    """Returns the augmentation of every training but pre-training: crop, resize, flip."""
    return Augmentation(
        jitter_probability=0.0,
        grey_probability=0.0,
        blur_probabilities=(0.0, 0.0),
        solarize_probabilities=(0.0, 0.0),
    )


def no_spatial() -> Augmentation:
    """Returns what leaves the clips' places in time alone to tell views apart (Table 9, row 1).

    The middle of each frame, resized; neither flipped nor recoloured.
    """
    return dataclasses.replace(crop_flip_only(), random_crop=False, flip_probability=0.0)


def rand_augment() -> Augmentation:
    """Returns crop, resize, flip, then RandAugment in place of Algorithm 1's colours (Table 12).

    Two operations are the paper's. It does not state the magnitude; 9 is RandAugment's own for
    ResNet-50 on ImageNet.
    """
    return dataclasses.replace(crop_flip_only(), rand_augment_operations=2)


def _pair(name, values):
    if not isinstance(values, (tuple, list)) or len(values) != 2:
        raise ValueError(f"{name}={values!r} must be two numbers.")
    return values


def _check_probability(name, value):
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value} must lie in [0, 1].")
