"""Tokens per second of Hugging Face transformers on the CPU: the lines of athanor-model's bench `shapes`."""

import json
import os
import statistics
import sys
import time

import torch
from transformers import AutoConfig, DynamicCache, LlamaForCausalLM

PREFILL, PROMPT, DECODED, TRAINED, ROUNDS = 256, 16, 32, 128, 3


def main(directory, shape, precision):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    torch.manual_seed(1)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    config = AutoConfig.from_pretrained(directory)
    model = LlamaForCausalLM.from_pretrained(directory, config=config, dtype=dtype)
    vocab = config.vocab_size

    def ids(rows, columns):
        flat = [i * 7919 % vocab for i in range(columns)]
        return torch.tensor([flat] * rows)

    def report(figure, rates):
        rate = round(statistics.median(rates), 1)
        line = {"program": "transformers", "shape": shape, "figure": figure, "weights": precision}
        print(json.dumps({**line, "tokens_per_second": rate}), flush=True)

    def timed(tokens, work):
        start = time.perf_counter()
        work()
        return tokens / (time.perf_counter() - start)

    model.eval()
    with torch.inference_mode():
        prompt = ids(1, PREFILL)

        def prefill():
            model(prompt, past_key_values=DynamicCache(config=config), use_cache=True, logits_to_keep=1)

        prefill()
        report("prefill", [timed(PREFILL, prefill) for _ in range(ROUNDS)])
        for batch in (1, 8):
            token = ids(1, batch).reshape(batch, 1)
            rates = []
            for _ in range(ROUNDS + 1):
                cache = DynamicCache(config=config)
                model(ids(batch, PROMPT), past_key_values=cache, use_cache=True, logits_to_keep=1)

                def decode():
                    for _ in range(DECODED):
                        model(token, past_key_values=cache, use_cache=True)

                rates.append(timed(batch * DECODED, decode))
            report(f"decode{batch}", rates[1:])
    if precision != "f32":
        return
    model.train()
    batch = {"7M": 8, "134M": 1}[shape]
    tokens = torch.tensor([i * 7919 % vocab for i in range(batch * TRAINED)]).reshape(batch, TRAINED)
    adam = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step():
        logits = model(tokens, use_cache=False).logits
        torch.nn.functional.cross_entropy(logits.reshape(-1, vocab), tokens.reshape(-1)).backward()
        adam.step()
        adam.zero_grad()

    step()
    report("train", [timed(batch * TRAINED, step) for _ in range(ROUNDS)])


if __name__ == "__main__":
    main(*sys.argv[1:4])
