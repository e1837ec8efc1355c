"""Puts ids of real records in the place of some made-up ones, which alone would lead to nothing but 404.

schemathesis loads this by SCHEMATHESIS_HOOKS; FUZZ_IDS has the ids: {"keep": {word: id}, "lose": {word: id}}.
Requests that end a record get one that nothing else needs.
"""

import json
import os
import zlib

import schemathesis

IDS = json.loads(os.environ.get("FUZZ_IDS", '{"keep": {}, "lose": {}}'))
# Fields of bodies and queries that name records, by the word of the records' paths.
FIELDS = {"campaignId": "campaigns", "categoryId": "categories", "category": "categories", "subscriptionId": "subscribe", "paymentMethodId": "methods"}
# Queries whose `id` names a record.
QUERIES = {"/api/campaigns/subscribe": "subscribe", "/api/payments/methods": "methods"}


def chance(value, of=2):
    """Half of the values, always the same ones, so that a failing request can be made smaller and sent again."""
    return zlib.crc32(repr(value).encode("utf-8", "surrogatepass")) % of == 0


def real(context, word):
    method = context.operation.method.upper()
    ending = method == "DELETE" or context.operation.path.endswith("/suspend")
    return IDS["lose" if ending else "keep"].get(word)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and isinstance(path_parameters.get("id"), str) and chance(path_parameters):
        words = context.operation.path.split("/{id}")[0].split("/")
        known = real(context, words[-1])
        if known:
            return {**path_parameters, "id": known}
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    word = QUERIES.get(context.operation.path)
    if query and word and "id" in query and chance(query):
        known = real(context, word)
        if known:
            return {**query, "id": known}
    return query


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    changed = dict(body)
    for field, word in FIELDS.items():
        if isinstance(body.get(field), str) and chance((field, body)):
            changed[field] = real(context, word) or body[field]
    return changed
