"""Asks for one digit with NVIDIA's tritonclient and prints what a person's program would learn: a line of JSON.

Usage: triton.py grpc|http HOST:PORT FLOATS [AUTHORITY]
"""

import json
import sys

import numpy as np

kind, address, floats = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == "grpc":
    import tritonclient.grpc as client
else:
    import tritonclient.http as client

image = client.InferInput("image", [1, floats], "FP32")
image.set_data_from_numpy(np.zeros((1, floats), dtype=np.float32))
try:
    client.InferenceServerClient(address).infer("digits", [image], request_id="triton")
    print(json.dumps({"code": "answered"}))
except client.InferenceServerException as error:
    print(json.dumps({"code": str(error.status()), "message": str(error.message())}))
