"""Speech engines, transcripts, and the files made from them.

onnxruntime, which runs the speech detector, sends usage data to its makers and keeps a file in the temporary folder
unless told not to before it is imported; huggingface_hub, a dependency of faster-whisper, may send usage data too.
Nothing about a recording leaves this machine unless the settings say so.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
