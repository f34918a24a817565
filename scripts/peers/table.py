"""Print the medians of what the programs reported as one Markdown table, with the machine and the date."""

import collections
import datetime
import json
import platform
import statistics
import sys

FIGURES = [("prefill", "prefill 256"), ("decode1", "decode, batch 1"), ("decode8", "decode, batch 8"), ("train", "training step")]
OTHERS = [("athanor", "bf16"), ("athanor", "int8"), ("transformers", "bf16")]


def processor():
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main(results, ceilings):
    rates = collections.defaultdict(list)
    with open(results) as lines:
        for line in map(json.loads, lines):
            rates[line["shape"], line["figure"], line["program"], line["weights"]].append(line["tokens_per_second"])
    rate = {key: statistics.median(values) for key, values in rates.items()}
    ceilings = json.loads(ceilings)
    print(f"{datetime.date.today()}, {processor()}, {ceilings['threads']} threads; ceilings measured after the last round: "
          f"{ceilings['gflops']:.0f} GFLOP/s, {ceilings['gigabytes_per_second']:.1f} GB/s. Medians of tokens/s.\n")
    print("| shape | figure | Athanor | candle | transformers | over candle | over transformers |")
    print("|---|---|---|---|---|---|---|")
    for shape in ("7M", "134M"):
        for figure, name in FIGURES:
            ours, candle, torch = (rate.get((shape, figure, program, "f32")) for program in ("athanor", "candle", "transformers"))
            cells = [f"{value:,.0f}" if value else "-" for value in (ours, candle, torch)]
            cells += [f"{ours / peer:.2f}" if ours and peer else "-" for peer in (candle, torch)]
            print(f"| {shape} | {name} | {' | '.join(cells)} |")
        one, eight = (rate.get((shape, figure, "athanor", "f32")) for figure in ("decode1", "decode8"))
        if one and eight:
            print(f"| {shape} | batch 8 over batch 1 | {eight / one:.2f} | | | | |")
    if not any(key[2:] == other for key in rate for other in OTHERS):
        return
    print("\n| shape | figure | weights | Athanor | over Athanor f32 | transformers | Athanor over transformers |")
    print("|---|---|---|---|---|---|---|")
    for shape in ("7M", "134M"):
        for figure, name in FIGURES[:3]:
            for weights in ("bf16", "int8"):
                ours, base = (rate.get((shape, figure, "athanor", format)) for format in (weights, "f32"))
                torch = rate.get((shape, figure, "transformers", weights))
                cells = [f"{ours:,.0f}", f"{ours / base:.2f}", f"{torch:,.0f}" if torch else "-", f"{ours / torch:.2f}" if torch else "-"]
                print(f"| {shape} | {name} | {weights} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*sys.argv[1:3])
