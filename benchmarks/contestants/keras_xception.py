"""Keras Applications' Xception at 224 pixels, fed by Keras's own loader. Weights are random."""

import sys

import keras
from steady import steady
from turns import take_turns


def main(folder: str) -> None:
    model = keras.applications.Xception(weights=None, input_shape=(224, 224, 3), classes=2)
    films = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(224, 224), batch_size=32, shuffle=False, verbose=False
    ).map(keras.applications.xception.preprocess_input)
    steadily = films.with_options(steady())

    take_turns(lambda: len(model.predict(steadily, verbose=0)))


main(sys.argv[1])
