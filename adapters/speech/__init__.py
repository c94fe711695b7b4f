"""Speech engines, transcripts, and what is made of them.

onnxruntime, which the detector of speech runs on, sends usage data to its makers and keeps a file in the temporary
folder unless it is told not to before it is imported; huggingface_hub, which faster-whisper brings, may do the first.
Nothing about a recording leaves this machine but what the settings send somewhere.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
