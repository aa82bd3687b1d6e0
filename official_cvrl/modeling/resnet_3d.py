# Copyright 2026 The CVRL Authors. Licensed under the Apache License, Version 2.0.
"""The backbone: 3-D residual networks (Table 1 of the paper)."""

import functools

import tensorflow as tf

from official_cvrl.modeling import blocks, convolution, normalization

# Depth: the block, and how many of them in conv2 … conv5.
_DEPTHS = {
    18: (blocks.BasicBlock, (2, 2, 2, 2)),
    34: (blocks.BasicBlock, (3, 4, 6, 3)),
    50: (blocks.BottleneckBlock, (3, 4, 6, 3)),
    101: (blocks.BottleneckBlock, (3, 4, 23, 3)),
}
_STEM_FILTERS = 64
_STAGE_FILTERS = (64, 128, 256, 512)


@tf.keras.utils.register_keras_serializable(package="official_cvrl")
class ResNet3D(tf.keras.Model):
    """A 3-D ResNet that turns clips into endpoints and an embedding.

    Depths 50 and 101 are made of bottlenecks k×1×1, 1×3×3, 1×1×1; depths 18 and 34, for small
    data, of basic blocks k×3×3, 1×3×3. k is the stage's temporal kernel size: by default 1 in
    conv2 and conv3, 3 in conv4 and conv5. All variables exist once the model is constructed.
    """

    def __init__(
        self,
        depth=50,
        width_multiplier=1.0,
        *,
        stem_temporal_kernel_size=5,
        stem_temporal_stride=2,
        stem_spatial_stride=2,
        stem_pool=True,
        temporal_kernel_sizes=(1, 1, 3, 3),
        temporal_strides=(1, 1, 1, 1),
        spatial_strides=(1, 2, 2, 2),
        spatial_dilations=(1, 1, 1, 1),
        norm_momentum=0.9,
        norm_epsilon=1e-5,
        synchronized=True,
        kernel_initializer="VarianceScaling",
        recompute=False,
        **kwargs,
    ):
        """Builds the network and its variables.

        Args:
            depth: 18, 34, 50 or 101.
            width_multiplier: Factor on every number of channels, rounded to integers; 0.25 to
                4, say.
            stem_temporal_kernel_size: Frames that the first convolution (k×7×7) spans.
            stem_temporal_stride: Step between the frames that it gives.
            stem_spatial_stride: Step between the rows and columns that it gives.
            stem_pool: Whether a 1×3×3 max pool of stride 2 follows; small clips do without.
            temporal_kernel_sizes: For each of conv2 … conv5, the k of its blocks, or a sequence
                with one k per block.
            temporal_strides: For each stage, the step in time of its first block.
            spatial_strides: For each stage, the step in space of its first block.
            spatial_dilations: For each stage, the distance between rows and columns of its 3×3
                kernels. AVA keeps conv5 at stride 16 by a stride of 1 and a dilation of 2.
            norm_momentum: Momentum of the batch norms' moving statistics.
            norm_epsilon: ε of the batch norms.
            synchronized: Whether batch norms share statistics between replicas.
            kernel_initializer: Any Keras initializer. The default, the published code's, draws
                from a truncated normal of variance 1 / fan-in.
            recompute: Whether training keeps, of the stem and of each block, only what goes in
                and runs it again for its gradient: the same numbers in less memory and more time.
            **kwargs: Arguments of `tf.keras.Model`.

        Raises:
            ValueError: If `depth` is unknown, a multiplier, size or stride is not positive, or
                a sequence has not one entry per stage (or per block).
        """
        super().__init__(**kwargs)
        if depth not in _DEPTHS:
            raise ValueError(f"depth must be one of {sorted(_DEPTHS)}, got {depth!r}")
        if not width_multiplier > 0:
            raise ValueError(f"width_multiplier must be above 0, got {width_multiplier!r}")
        self.depth = depth
        self.width_multiplier = width_multiplier
        self.stem_temporal_kernel_size = stem_temporal_kernel_size
        self.stem_temporal_stride = stem_temporal_stride
        self.stem_spatial_stride = stem_spatial_stride
        self.stem_pool = stem_pool
        self.temporal_kernel_sizes = _per_stage("temporal_kernel_sizes", temporal_kernel_sizes)
        self.temporal_strides = _per_stage("temporal_strides", temporal_strides)
        self.spatial_strides = _per_stage("spatial_strides", spatial_strides)
        self.spatial_dilations = _per_stage("spatial_dilations", spatial_dilations)
        self.norm_momentum = norm_momentum
        self.norm_epsilon = norm_epsilon
        self.synchronized = synchronized
        self.kernel_initializer = tf.keras.initializers.get(kernel_initializer)
        self.recompute = recompute
        self._make_layers()
        self._build_variables()

    @property
    def embedding_dim(self):
        """Length of the embedding: 2048 · width_multiplier for bottlenecks, else a quarter."""
        return self.stages[-1][-1].output_filters

    @property
    def _kernel_initializer_config(self):
        # Each layer makes its own: one unseeded initializer gives the same values at each call.
        return tf.keras.initializers.serialize(self.kernel_initializer)

    def _make_layers(self):
        self._make_norm = functools.partial(
            normalization.BatchNormalization,
            momentum=self.norm_momentum,
            epsilon=self.norm_epsilon,
            synchronized=self.synchronized,
        )
        self.stem_convolution = convolution.Convolution(
            self._scaled(_STEM_FILTERS),
            (self.stem_temporal_kernel_size, 7, 7),
            temporal_stride=self.stem_temporal_stride,
            spatial_stride=self.stem_spatial_stride,
            kernel_initializer=self._kernel_initializer_config,
            dtype=self.dtype_policy,
            name="conv1",
        )
        self.stem_norm = self._make_norm(dtype=self.dtype_policy, name="conv1_norm")
        self.stages = [self._make_stage(index) for index in range(len(_STAGE_FILTERS))]

    def _make_stage(self, stage):
        block_class, nums_blocks = _DEPTHS[self.depth]
        kernel_sizes = _per_block(self.temporal_kernel_sizes[stage], nums_blocks[stage])
        return [
            block_class(
                self._scaled(_STAGE_FILTERS[stage]),
                temporal_kernel_size=kernel_size,
                temporal_stride=self.temporal_strides[stage] if block == 0 else 1,
                spatial_stride=self.spatial_strides[stage] if block == 0 else 1,
                spatial_dilation=self.spatial_dilations[stage],
                make_norm=self._make_norm,
                kernel_initializer=self._kernel_initializer_config,
                dtype=self.dtype_policy,
                name=f"conv{stage + 2}_block{block + 1}",
            )
            for block, kernel_size in enumerate(kernel_sizes)
        ]

    def _scaled(self, filters):
        return max(1, round(filters * self.width_multiplier))

    def _build_variables(self):
        with tf.name_scope(self.name):
            blocks.build_layer(self.stem_convolution, 3)
            channels = self.stem_convolution.filters
            blocks.build_layer(self.stem_norm, channels)
            for block in (block for stage in self.stages for block in stage):
                blocks.build_layer(block, channels)
                channels = block.output_filters
        self.built = True

    def call(self, clips, training=False):
        """Encodes clips.

        Args:
            clips: [batch, num_frames, height, width, 3], floating point in [0, 1].
            training: Whether batch norms use, and learn from, the batch's statistics.

        Returns:
            A dict: "conv2" … "conv5", the stages' outputs, [batch, num_frames', height', width',
            channels] in the compute dtype; "embedding", the mean of conv5 over time and space,
            [batch, embedding_dim], float32 (float64 under the policy of that name).
        """
        num_frames = convolution.dimension(clips, 1)
        frames = convolution.as_frames(tf.cast(clips, self.compute_dtype))
        frames = self._part(self._stem, frames, num_frames, training=training)
        num_frames = self.stem_convolution.output_frames(num_frames)
        endpoints = {}
        for index, stage in enumerate(self.stages):
            for block in stage:
                frames = self._part(block, frames, num_frames, training=training)
                num_frames = block.output_frames(num_frames)
            endpoints[f"conv{index + 2}"] = convolution.as_clips(frames, num_frames)
        # Summed up in the variables' precision: a 16-bit mean over space and time loses digits.
        conv5 = tf.cast(endpoints["conv5"], self.variable_dtype)
        endpoints["embedding"] = tf.reduce_mean(conv5, axis=[1, 2, 3])
        return endpoints

    def _part(self, part, frames, num_frames, *, training):
        """Applies the stem or a block."""

        def apply(frames):
            return part(frames, num_frames, training=training)

        return (blocks.recomputed(apply) if self.recompute and training else apply)(frames)

    def _stem(self, frames, num_frames, *, training):
        frames = self.stem_convolution(frames, num_frames)
        frames = tf.nn.relu(self.stem_norm(frames, training=training))
        if self.stem_pool:
            frames = tf.nn.max_pool2d(frames, 3, 2, "SAME")
        return frames

    def get_config(self):
        """Returns what the constructor needs to make this model again."""
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "depth": self.depth,
            "width_multiplier": self.width_multiplier,
            "stem_temporal_kernel_size": self.stem_temporal_kernel_size,
            "stem_temporal_stride": self.stem_temporal_stride,
            "stem_spatial_stride": self.stem_spatial_stride,
            "stem_pool": self.stem_pool,
            "temporal_kernel_sizes": self.temporal_kernel_sizes,
            "temporal_strides": self.temporal_strides,
            "spatial_strides": self.spatial_strides,
            "spatial_dilations": self.spatial_dilations,
            "norm_momentum": self.norm_momentum,
            "norm_epsilon": self.norm_epsilon,
            "synchronized": self.synchronized,
            "kernel_initializer": self._kernel_initializer_config,
            "recompute": self.recompute,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes a model out of what `get_config` returned."""
        del custom_objects  # There are none.
        return cls(**config)


def _per_stage(name, values):
    values = tuple(value if isinstance(value, int) else tuple(value) for value in values)
    if len(values) != len(_STAGE_FILTERS):
        raise ValueError(f"{name} must have {len(_STAGE_FILTERS)} entries, got {values}")
    return values


def _per_block(kernel_sizes, num_blocks):
    if isinstance(kernel_sizes, int):
        return (kernel_sizes,) * num_blocks
    if len(kernel_sizes) != num_blocks:
        raise ValueError(
            f"temporal_kernel_sizes must have an int or {num_blocks} ints for this stage, "
            f"got {kernel_sizes}"
        )
    return kernel_sizes
