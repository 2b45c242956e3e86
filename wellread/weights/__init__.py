"""A name in, weights that generate and train out; and back into a folder that transformers or peft can load.

The only home of opening, creating, adapting, quantising, merging and saving weights. A method of training is a way to
open weights: from scratch they are created, else `open_to_train` opens them; the one training loop trains whatever asks
for gradients.
"""

from wellread.weights.adapting import adapt, fitting_rank, merge
from wellread.weights.creating import build, create
from wellread.weights.dial import Dial, check_setting, open_dial
from wellread.weights.gap import QuantizationGap, quantisation_gap
from wellread.weights.machine import (
    Precision,
    activation_bytes,
    checkpoint_layers,
    computes_twice,
    device,
    fit_to_machine,
    precision,
)
from wellread.weights.measured import folded, measuring_dtype, open_to_measure
from wellread.weights.opening import Opened, find_weights, load_checkpoint, open_base, open_tokenizer
from wellread.weights.quantising import Quantization, quantization_of
from wellread.weights.room import fits, free_memory
from wellread.weights.saving import (
    EMBEDDED,
    adapter_base,
    is_adapter,
    new_folder,
    quiet,
    read_checkpoint,
    save,
    save_tokenizer,
)
from wellread.weights.separators import document_end, document_start, window_start
from wellread.weights.sizes import SIZES, Shape, fitting_size
from wellread.weights.trainee import Trainee, open_to_train

__all__ = [
    "EMBEDDED",
    "SIZES",
    "Dial",
    "Opened",
    "Precision",
    "Quantization",
    "QuantizationGap",
    "Shape",
    "Trainee",
    "activation_bytes",
    "adapt",
    "adapter_base",
    "build",
    "check_setting",
    "checkpoint_layers",
    "computes_twice",
    "create",
    "device",
    "document_end",
    "document_start",
    "find_weights",
    "fit_to_machine",
    "fits",
    "fitting_rank",
    "fitting_size",
    "folded",
    "free_memory",
    "is_adapter",
    "load_checkpoint",
    "measuring_dtype",
    "merge",
    "new_folder",
    "open_base",
    "open_dial",
    "open_to_measure",
    "open_to_train",
    "open_tokenizer",
    "precision",
    "quantisation_gap",
    "quantization_of",
    "quiet",
    "read_checkpoint",
    "save",
    "save_tokenizer",
    "window_start",
]
