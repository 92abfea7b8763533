"""Keras's fit: an epoch of MobileNetV2 on the same images, with its own loader, unaugmented."""

import sys

import keras
from steady import steady
from turns import take_turns


def main(folder: str) -> None:
    base = keras.applications.MobileNetV2(
        input_shape=(224, 224, 3), include_top=False, weights=None, pooling="avg"
    )
    model = keras.Sequential([base, keras.layers.Dense(1)])
    model.compile(keras.optimizers.AdamW(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    images = keras.utils.image_dataset_from_directory(
        folder, label_mode="binary", image_size=(224, 224), batch_size=32, verbose=False
    )
    count = len(images.file_paths)
    scaled = images.map(lambda x, y: (keras.applications.mobilenet_v2.preprocess_input(x), y))
    ready = scaled.with_options(steady())

    def work() -> int:
        model.fit(ready, epochs=1, verbose=0)
        return count

    take_turns(work)


main(sys.argv[1])
