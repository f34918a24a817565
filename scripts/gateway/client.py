"""What OpenAI's own client relies on, checked against a validator's gateway.

client.py BASE_URL KEY KEYS_COMMAND..: the last words are the command that makes keys. Prints a line per check; ends with 1
if one failed.
"""

import json
import subprocess
import sys
import time
import urllib.request

import openai

base, key, keys_command = sys.argv[1], sys.argv[2], sys.argv[3:]
client = openai.OpenAI(base_url=base, api_key=key, max_retries=2)
impatient = client.with_options(max_retries=0)
failed = 0
HELLO = [{"role": "user", "content": "copy a b c"}]


def check(name):
    """Runs a check at once, and prints what became of it."""

    def run(body):
        global failed
        try:
            body()
            print(f"PASS {name}", flush=True)
        except Exception as error:  # a check may fail in any way, and the others go on
            failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)

    return run


def refused(kind, status, code, call):
    """The typed exception that a call must end with."""
    try:
        call()
    except kind as error:
        assert error.status_code == status, error.status_code
        assert error.code == code, error.code
        assert error.message, "no message"
        return error
    raise AssertionError(f"no {kind.__name__}")


def new_key(*limits):
    """A key of its own, made as an operator makes it."""
    made = subprocess.run([*keys_command, "new", "check", *limits], check=True, capture_output=True, text=True)
    # The gateway reads its file of keys again now and then.
    time.sleep(1)
    return made.stdout.split()[0]


models = [model.id for model in client.models.list()]
MODEL = models[0]
# A miner that keeps to seeds: on a local subnet others are there too.
BEST = f"{MODEL}:best"


@check("models: the list, and one of them")
def _():
    assert f"{MODEL}:best" in models, models
    one = client.models.retrieve(MODEL)
    assert one.id == MODEL and one.object == "model" and one.owned_by == "athanor"


@check("chat: an answer with its usage and its receipt")
def _():
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-")
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and isinstance(choice.message.content, str)
    assert choice.finish_reason in ("stop", "length")
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > usage.prompt_tokens > 0
    receipt = answer.model_extra["athanor"]["receipts"][0]
    again = urllib.request.Request(f"{base}/receipts/{receipt['id']}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(again) as told:
        assert json.load(told) == receipt


@check("chat: raw response headers")
def _():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert raw.headers["x-athanor-receipt"].startswith("rcpt-")
    assert raw.headers["x-request-id"] == raw.request_id or raw.request_id
    assert int(raw.headers["x-ratelimit-remaining-tokens"]) > 0
    assert raw.parse().choices


@check("chat: a seed gives the same answer again, whole and streamed")
def _():
    ask = dict(model=BEST, messages=HELLO, seed=7)
    first = client.chat.completions.create(**ask)
    second = client.chat.completions.create(**ask)
    if first.system_fingerprint != second.system_fingerprint:
        # The miner swapped its checkpoint between the two.
        second = client.chat.completions.create(**ask)
        first = client.chat.completions.create(**ask)
    assert first.choices[0].message.content == second.choices[0].message.content
    chunks = list(client.chat.completions.create(**ask, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    if chunks[-1].system_fingerprint == first.system_fingerprint:
        assert text == first.choices[0].message.content, (text, first.choices[0].message.content)


@check("chat: a stream with usage, every chunk as the client expects it")
def _():
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    *spoken, last = chunks
    assert last.choices == [] and last.usage.completion_tokens > 0
    assert all(len(chunk.choices) == 1 for chunk in spoken)
    assert spoken[-1].choices[0].finish_reason in ("stop", "length")
    assert spoken[-1].model_extra["athanor"]["id"].startswith("rcpt-")


@check("chat: the client's own accumulation of a stream")
def _():
    with client.chat.completions.stream(model=MODEL, messages=HELLO, seed=7) as stream:
        for _event in stream:
            pass
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.content, str)


@check("chat: several answers at once")
def _():
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, n=3, max_tokens=4)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens <= 12
    seen = set()
    for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, n=3, stream=True):
        seen.add(chunk.choices[0].index)
    assert seen == {0, 1, 2}


@check("chat: log-probabilities of 20 tokens at each position")
def _():
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True, top_logprobs=20)
    content = answer.choices[0].logprobs.content
    assert "".join(one.token for one in content) == answer.choices[0].message.content
    for one in content:
        tops = [top.logprob for top in one.top_logprobs]
        assert len(tops) == 20 and tops == sorted(tops, reverse=True)
        assert one.logprob <= tops[0] + 1e-6 and tops[0] <= 0
    told = []
    for chunk in client.chat.completions.create(
        model=MODEL, messages=HELLO, logprobs=True, top_logprobs=2, stream=True
    ):
        if chunk.choices[0].logprobs:
            told += chunk.choices[0].logprobs.content
    assert told and all(len(one.top_logprobs) == 2 for one in told)


@check("chat: a stop string and a bound of tokens")
def _():
    whole = client.chat.completions.create(model=BEST, messages=HELLO, seed=11)
    text = whole.choices[0].message.content
    if len(text) > 2:
        stop = text[1:3]
        cut = client.chat.completions.create(model=BEST, messages=HELLO, seed=11, stop=[stop])
        if cut.system_fingerprint == whole.system_fingerprint:
            assert cut.choices[0].message.content == text.split(stop)[0]
            assert cut.choices[0].finish_reason == "stop"
    short = client.chat.completions.create(model=MODEL, messages=HELLO, max_completion_tokens=1)
    assert short.usage.completion_tokens == 1


@check("chat: consent by body and by header")
def _():
    by_body = client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"athanor": {"audit": True}})
    assert by_body.model_extra["athanor"]["receipts"][0]["audit"] is True
    by_header = client.chat.completions.create(
        model=MODEL, messages=HELLO, extra_headers={"X-Athanor-Audit": "no"}
    )
    assert by_header.model_extra["athanor"]["receipts"][0]["audit"] is False


@check("completions: texts, several prompts, token ids, log-probabilities")
def _():
    answer = client.completions.create(model=MODEL, prompt="copy a b c", max_tokens=8, logprobs=5)
    told = answer.choices[0].logprobs
    assert answer.object == "text_completion" and "".join(told.tokens) == answer.choices[0].text
    assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == len(told.text_offset)
    assert all(5 <= len(top) <= 6 or len(top) < 5 for top in told.top_logprobs)
    many = client.completions.create(model=MODEL, prompt=["add 1 2", "add 2 3"], n=2)
    assert [choice.index for choice in many.choices] == [0, 1, 2, 3]
    assert client.completions.create(model=MODEL, prompt=[5, 6, 7]).usage.prompt_tokens == 3
    text = "".join(
        chunk.choices[0].text for chunk in client.completions.create(model=MODEL, prompt="copy a b c", stream=True)
    )
    assert isinstance(text, str)


@check("errors: 401 for a key that nobody has")
def _():
    stranger = client.with_options(api_key="ath-nobody", max_retries=0)
    refused(openai.AuthenticationError, 401, "invalid_api_key", stranger.models.list)


@check("errors: 404 for a model, and for a path")
def _():
    unknown = lambda: impatient.chat.completions.create(model="gpt-4o", messages=HELLO)
    refused(openai.NotFoundError, 404, "model_not_found", unknown)
    refused(openai.NotFoundError, 404, "unknown_url", lambda: impatient.embeddings.create(model=MODEL, input="x"))


@check("errors: 400 for what audits never use, for what is wrong, and for a prompt that is too long")
def _():
    def ask(**more):
        return lambda: impatient.chat.completions.create(**{"model": MODEL, "messages": HELLO, **more})

    bad = openai.BadRequestError
    assert refused(bad, 400, "unsupported_parameter", ask(top_p=0.5)).param == "top_p"
    assert refused(bad, 400, "unsupported_parameter", ask(logit_bias={"5": 1})).param == "logit_bias"
    assert refused(bad, 400, "unsupported_parameter", ask(presence_penalty=1)).param == "presence_penalty"
    assert refused(bad, 400, "invalid_value", ask(temperature=0.123)).param == "temperature"
    assert refused(bad, 400, "invalid_value", ask(n=0)).param == "n"
    assert refused(bad, 400, "unknown_parameter", ask(extra_body={"temprature": 1})).param == "temprature"
    long = [{"role": "user", "content": "copy " * 500}]
    refused(bad, 400, "context_length_exceeded", ask(messages=long))


@check("errors: 413 for a body that is too large")
def _():
    huge = [{"role": "user", "content": "x" * (1 << 20)}]
    call = lambda: impatient.chat.completions.create(model=MODEL, messages=huge)
    refused(openai.APIStatusError, 413, "request_too_large", call)


@check("errors: 429 once a key's tokens are used up, and when to come again")
def _():
    small = client.with_options(api_key=new_key("--tokens-per-minute", "100"), max_retries=0)

    def spend():
        for _ in range(12):
            small.chat.completions.create(model=MODEL, messages=HELLO)

    error = refused(openai.RateLimitError, 429, "rate_limit_exceeded", spend)
    assert int(error.response.headers["retry-after"]) > 0


@check("a stream that is closed in the middle frees the key's place")
def _():
    single = client.with_options(api_key=new_key("--in-flight", "1"), max_retries=0)
    for _ in range(5):
        deadline = time.monotonic() + 30
        while True:
            try:
                stream = single.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
                break
            except openai.RateLimitError:
                assert time.monotonic() < deadline, "the place was never freed"
                time.sleep(0.05)
        next(iter(stream))
        stream.close()


sys.exit(1 if failed else 0)
