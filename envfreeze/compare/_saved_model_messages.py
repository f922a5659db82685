"""The messages of a SavedModel
(https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core: ``protobuf/saved_model.proto``,
``meta_graph.proto``, ``saved_object_graph.proto``, ``framework/graph.proto``, ``node_def.proto``,
``attr_value.proto``, ``function.proto``, ``op_def.proto``).

What is not listed is kept as bytes under the number of its field.
"""

from __future__ import annotations

from envfreeze.compare import _tensorflow as tensorflow
from envfreeze.compare._protobuf import Message


def _entry(kind: str) -> Message:
    """An entry of a map from texts to ``kind``."""
    return Message(f"{kind} entry", {1: ("key", "text"), 2: ("value", kind)})


MAPS = frozenset({
    "collection_def", "signature_def", "function_aliases", "attr", "ret", "control_ret", "arg_attr",
    "resource_arg_unique_id", "inputs", "outputs", "defaults", "concrete_functions", "saveable_objects",
})  # fmt: skip
"""Fields that are maps, whose entries come in any order (but for ``concrete_functions`` of a function)."""

MESSAGES = tensorflow.MESSAGES | {
    message.name: message
    for message in (
        Message("saved model", {1: ("schema_version", "int"), 2: ("meta_graphs", "meta graph")}),
        Message(
            "meta graph",
            {
                1: ("meta_info", "meta info"),
                2: ("graph", "graph"),
                3: ("saver", "bytes"),
                4: ("collection_def", "collection entry"),
                5: ("signature_def", "signature entry"),
                6: ("asset_file", "bytes"),
                7: ("objects", "objects"),
            },
        ),
        Message(
            "meta info",
            {
                1: ("meta_graph_version", "text"),
                2: ("stripped_op_list", "op list"),
                4: ("tags", "text"),
                5: ("tensorflow_version", "text"),
                6: ("tensorflow_git_version", "text"),
                7: ("stripped_default_attrs", "int"),
                8: ("function_aliases", "text entry"),
            },
        ),
        Message("op list", {1: ("op", "op")}),
        Message("graph", {1: ("node", "node"), 2: ("library", "library"), 4: ("versions", "versions")}),
        Message("versions", {1: ("producer", "int"), 2: ("min_consumer", "int")}),
        Message(
            "node",
            {
                1: ("name", "text"),
                2: ("op", "text"),
                3: ("input", "text"),
                4: ("device", "text"),
                5: ("attr", "attr entry"),
                6: ("debug_info", "debug info"),
                7: ("type", "bytes"),
            },
        ),
        Message("debug info", {1: ("original_node_names", "text"), 2: ("original_func_names", "text")}),
        Message(
            "attr",
            {
                1: ("list", "attr list"),
                2: ("s", "bytes"),
                3: ("i", "int"),
                4: ("f", "float"),
                5: ("b", "int"),
                6: ("type", "int"),
                7: ("shape", "shape"),
                8: ("tensor", "tensor"),
                9: ("placeholder", "text"),
                10: ("func", "func"),
            },
        ),
        Message(
            "attr list",
            {
                2: ("s", "bytes"),
                3: ("i", "ints"),
                4: ("f", "floats"),
                5: ("b", "ints"),
                6: ("type", "ints"),
                7: ("shape", "shape"),
                8: ("tensor", "tensor"),
                9: ("func", "func"),
            },
        ),
        Message("func", {1: ("name", "text"), 2: ("attr", "attr entry")}),
        Message("library", {1: ("function", "function"), 2: ("gradient", "gradient")}),
        Message("gradient", {1: ("function_name", "text"), 2: ("gradient_func", "text")}),
        Message(
            "function",
            {
                1: ("signature", "op"),
                3: ("node", "node"),
                4: ("ret", "text entry"),
                5: ("attr", "attr entry"),
                6: ("control_ret", "text entry"),
                7: ("arg_attr", "arg attrs entry"),
                8: ("resource_arg_unique_id", "int entry"),
            },
        ),
        Message("arg attrs", {1: ("attr", "attr entry")}),
        Message("arg attrs entry", {1: ("key", "int"), 2: ("value", "arg attrs")}),
        Message("int entry", {1: ("key", "int"), 2: ("value", "int")}),
        Message(
            "op",
            {
                1: ("name", "text"),
                2: ("input_arg", "op arg"),
                3: ("output_arg", "op arg"),
                4: ("attr_def", "op attr"),
                5: ("summary", "text"),
                6: ("description", "text"),
                16: ("is_aggregate", "int"),
                17: ("is_stateful", "int"),
                18: ("is_commutative", "int"),
                19: ("allows_uninitialized_input", "int"),
                20: ("control_output", "text"),
                21: ("is_distributed_communication", "int"),
            },
        ),
        Message(
            "op arg",
            {
                1: ("name", "text"),
                2: ("description", "text"),
                3: ("type", "int"),
                4: ("type_attr", "text"),
                5: ("number_attr", "text"),
                6: ("type_list_attr", "text"),
                16: ("is_ref", "int"),
            },
        ),
        Message(
            "op attr",
            {
                1: ("name", "text"),
                2: ("type", "text"),
                3: ("default_value", "attr"),
                4: ("description", "text"),
                5: ("has_minimum", "int"),
                6: ("minimum", "int"),
                7: ("allowed_values", "attr"),
            },
        ),
        Message(
            "signature",
            {
                1: ("inputs", "tensor info entry"),
                2: ("outputs", "tensor info entry"),
                3: ("method_name", "text"),
                4: ("defaults", "tensor entry"),
            },
        ),
        Message("tensor info", {1: ("name", "text"), 2: ("dtype", "int"), 3: ("shape", "shape")}),
        Message("collection", {}),
        Message("objects", {1: ("nodes", "object"), 2: ("concrete_functions", "concrete entry")}),
        Message(
            "object",
            {
                1: ("children", "child"),
                3: ("slot_variables", "slot"),
                4: ("user_object", "user object"),
                5: ("asset", "bytes"),
                6: ("function", "saved function"),
                7: ("variable", "variable"),
                8: ("bare_concrete_function", "bare function"),
                9: ("constant", "constant"),
                10: ("resource", "bytes"),
                11: ("saveable_objects", "saveable entry"),
                12: ("captured_tensor", "captured"),
                13: ("registered_name", "text"),
                14: ("serialized_user_proto", "bytes"),
                15: ("dependencies", "child"),
                16: ("registered_saver", "text"),
            },
        ),
        Message("child", {1: ("node_id", "int"), 2: ("local_name", "text")}),
        Message(
            "slot",
            {1: ("variable_node_id", "int"), 2: ("slot_name", "text"), 3: ("slot_node_id", "int")},
        ),
        Message(
            "user object", {1: ("identifier", "text"), 2: ("version", "versions"), 3: ("metadata", "text")}
        ),
        Message("saved function", {1: ("names", "text"), 2: ("function_spec", "bytes")}),
        Message("bare function", {1: ("name", "text"), 2: ("keywords", "text"), 3: ("positional", "int")}),
        Message("constant", {1: ("operation", "text")}),
        Message("captured", {1: ("name", "text"), 2: ("concrete_function", "text")}),
        Message(
            "variable",
            {
                1: ("dtype", "int"),
                2: ("shape", "shape"),
                3: ("trainable", "int"),
                4: ("synchronization", "int"),
                5: ("aggregation", "int"),
                6: ("name", "text"),
                7: ("device", "text"),
                8: ("components", "variable"),
            },
        ),
        Message(
            "concrete",
            {2: ("bound_inputs", "ints"), 3: ("input_signature", "bytes"), 4: ("output_signature", "bytes")},
        ),
        Message("saveable", {2: ("save_function", "int"), 3: ("restore_function", "int")}),
        *map(
            _entry,
            ("collection", "signature", "text", "attr", "tensor info", "tensor", "concrete", "saveable"),
        ),
    )
}
