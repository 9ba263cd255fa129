"""Finds the token states inside an exported model: what its mean pooling takes the mean of.

The exported graph ends with ``sum(states · mask) / number of tokens``. The states are therefore in
every exported model, and can become a second output when it is loaded: nothing is exported again,
and the pooled vectors stay the same to the last bit.
"""

from typing import Any

POOLING = ("Divide", "ReduceSum", "Multiply")  # from the model's result upwards


def add_token_states(model: Any, dimensions: int) -> bool:
    """Make the token states the second output of an OpenVINO model that pools by the mean.

    Args:
        model: a model as ``Core.read_model`` gives it; changed in place.
        dimensions: length of one state.

    Returns:
        Whether they were found; otherwise the model is left as it was. The output is float32 of
        shape (texts, width, dimensions), padding included.
    """
    port = model.outputs[0].node.input_value(0)
    for kind in POOLING:
        node = port.get_node()
        if node.get_type_name() != kind:
            return False
        port = node.input_value(0)
    shape = port.get_partial_shape()
    if len(shape) != 3 or shape[2].is_dynamic or shape[2].get_length() != dimensions:
        return False
    model.add_outputs([port])
    return True
