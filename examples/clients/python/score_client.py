#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a recommendation backend needs of gRPC to have candidates ranked, in one
file: a channel that is kept, a deadline, retries, and errors read.

    make_stubs.sh stubs
    PYTHONPATH=stubs score_client.py ADDRESS USER POI...

Prints the candidates best first, each with P(click) and P(click and order).
Exits with 2 if the request was wrong, with 3 if there were no scores: then the
candidates are printed as they came, the order that a page falls back to.
"""
import json
import os
import sys
import time
from pathlib import Path

import grpc
from google.rpc import error_details_pb2, status_pb2
from larr.scoring.v1 import scoring_service_pb2 as scoring
from larr.scoring.v1 import scoring_service_pb2_grpc

# Of a call, its retries included. A page gives about three times its p99.
DEADLINE_S = 2

# Waits between tries are random up to these bounds, so that backends do not
# come back all at once. Where the server sends `grpc-retry-pushback-ms`, gRPC
# waits just so long. Where many calls fail, none is tried again.
SERVICE_CONFIG = {
    "methodConfig": [{
        "name": [{"service": "larr.scoring.v1.ScoringService"}],
        "retryPolicy": {
            "maxAttempts": 3,
            "initialBackoff": "0.01s",
            "maxBackoff": "0.1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.5},
}


def file_of(variable):
    """What a file holds that a variable of the environment names; None without."""
    path = os.environ.get(variable)
    return Path(path).read_bytes() if path else None


def connect(address):
    """One for a process: safe for all threads, and costly to make. TLS where
    LARR_TLS_CA is set; with LARR_TLS_CERT and LARR_TLS_KEY the server learns
    who calls."""
    options = [
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
        # Finds a server that is gone without a word, also between calls.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    ca = file_of("LARR_TLS_CA")
    if ca is None:
        return grpc.insecure_channel(address, options)
    credentials = grpc.ssl_channel_credentials(ca, file_of("LARR_TLS_KEY"), file_of("LARR_TLS_CERT"))
    return grpc.secure_channel(address, credentials, options)


def metadata():
    """The token, if there is one: only over TLS, or on a network that is trusted."""
    token = file_of("LARR_TOKEN_FILE")
    return [("authorization", "Bearer " + token.decode().split("\n")[0])] if token else []


def make_request(user, pois):
    request = scoring.ScoreRequest(user_id=user, top_k=len(pois))
    request.context["hour"].int_value = time.localtime().tm_hour
    for poi in pois:
        request.candidates.add(poi_id=poi)
    return request


def violations(error):
    """The fields that were wrong, each with what is wrong."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                yield from bad.field_violations


def rank(stub, request):
    try:
        response = stub.Score(request, timeout=DEADLINE_S, metadata=metadata())
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            # A bug of the caller: never to be tried again.
            for violation in violations(error):
                print(f"wrong field {violation.field}: {violation.description}", file=sys.stderr)
            return 2
        print(f"falling back, code {error.code().value[0]}: {error.details()}", file=sys.stderr)
        for candidate in request.candidates:
            print(candidate.poi_id)
        return 3
    for score in response.scores:
        print(f"{request.candidates[score.candidate].poi_id} {score.ctr:.6f} {score.ctcvr:.6f}")
    return 0


def main(arguments):
    if len(arguments) < 3:
        print("use: score_client.py ADDRESS USER POI...", file=sys.stderr)
        return 2
    address, user, *pois = arguments
    with connect(address) as channel:
        return rank(scoring_service_pb2_grpc.ScoringServiceStub(channel), make_request(user, pois))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
