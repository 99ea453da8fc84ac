"""Answers as Flask's responses, for what Flask answers beside pages: JSON, by the functions that make it elsewhere."""

from flask import Response

from bridge.oauth.request import Answer


def response_of(answer: Answer) -> Response:
    """The response that an answer is."""
    return Response(answer.body, status=answer.status, headers=answer.headers)
