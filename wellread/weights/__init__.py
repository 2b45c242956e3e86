"""A name in, weights that generate and train out; and back into a folder that transformers or peft can load.

The only home of opening, creating, adapting and saving weights. A method of training is a way to open weights:
from scratch they are created, for LoRA opened and adapted; the one training loop trains whatever asks for gradients.
"""

from wellread.weights.creating import adapt, build, create
from wellread.weights.machine import Precision, device, precision
from wellread.weights.opening import EMBEDDED, Opened, load_checkpoint, open_base, open_tokenizer
from wellread.weights.saving import new_folder, quiet, read_checkpoint, save, save_tokenizer, storage_errors
from wellread.weights.separators import document_end, document_start
from wellread.weights.sizes import SIZES, Shape, fitting_size

__all__ = [
    "EMBEDDED",
    "SIZES",
    "Opened",
    "Precision",
    "Shape",
    "adapt",
    "build",
    "create",
    "device",
    "document_end",
    "document_start",
    "fitting_size",
    "load_checkpoint",
    "new_folder",
    "open_base",
    "open_tokenizer",
    "precision",
    "quiet",
    "read_checkpoint",
    "save",
    "save_tokenizer",
    "storage_errors",
]
