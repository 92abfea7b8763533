"""Options of tf.data that both Keras programs share."""

import tensorflow as tf


def steady() -> tf.data.Options:
    """Turn tf.data's tuner off, so that a round ends when its work does.

    With it, about half of the rounds slept after their work until 5.12 s, others until 0.64 or
    20.48 s (10 ms doubled some times); without it none did, and the quick ones were no quicker.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
