"""Prove that bittensor-cli 9.23, unmodified, works on the chain as its users type it. Its `weights commit` and `weights
reveal` are left out: they ask for a storage item `get_commit_reveal_weights_enabled`, which Bittensor does not have either.

Usage: btcli.py WS_URL WALLETS BTCLI
"""

import json
import subprocess
import sys

from async_substrate_interface import SubstrateInterface
from bittensor_wallet import Keypair, Wallet

from checks import Checks, eventually, expect

URL, WALLETS, BTCLI = sys.argv[1:4]
checks = Checks("bittensor-cli 9.23")


def btcli(*arguments, wallet=None, output=True):
    """Runs a command with JSON output and returns that."""
    command = [BTCLI, *arguments, "--network", URL]
    if wallet:
        command += ["--wallet-path", WALLETS, "--wallet-name", wallet, "--hotkey", "default"]
    if output:
        command.append("--json-output")
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    said = f"{done.stdout}\n{done.stderr}"
    expect(done.returncode == 0, f"exit code {done.returncode}: {said[-500:]}")
    expect("Traceback" not in said, said[-500:])
    if not output:
        return said
    # A warning may stand before the object.
    start = min((done.stdout.find(c) for c in "{[" if c in done.stdout), default=-1)
    if start < 0:
        # With JSON output it swallows its errors: ask again for the reason alone.
        again = subprocess.run(command[:-1], capture_output=True, text=True, timeout=180, check=False)
        raise AssertionError(f"no JSON: {again.stdout[-300:]} {again.stderr[-300:]}")
    return json.JSONDecoder().raw_decode(done.stdout[start:])[0]


def succeeded(answer):
    expect(answer.get("success", False) is True, answer)
    return answer


def balance():
    answer = btcli("wallet", "balance", wallet="Bob")
    expect("balances" in answer and float(answer["totals"]["free"]) > 0, answer)


def overview():
    answer = btcli("wallet", "overview", wallet="Bob")
    expect(answer.get("subnets"), answer)


def subnets_list():
    answer = btcli("subnets", "list")
    expect({"1", "2"} <= set(answer["subnets"]), answer)


def subnets_show():
    answer = btcli("subnets", "show", "--netuid", "1", "--no-prompt")
    expect(len(answer["uids"]) >= 2, answer)


def metagraph():
    said = btcli("subnets", "metagraph", "--netuid", "1", "--no-prompt", output=False)
    expect("Error" not in said, said[-300:])


def hyperparameters():
    answer = btcli("subnets", "hyperparameters", "--netuid", "1")
    names = {entry["hyperparameter"]: entry["value"] for entry in answer}
    expect(int(names["tempo"]) == 20, names)


def register():
    succeeded(btcli("subnets", "register", "--netuid", "1", "--no-prompt", wallet="Dave"))


def register_unsafe():
    succeeded(
        btcli("subnets", "register", "--netuid", "1", "--no-prompt", "--unsafe-register", wallet="Eve")
    )


def stake_add():
    answer = btcli(
        "stake", "add", "--netuid", "1", "--amount", "5", "--no-prompt", "--no-safe-staking",
        "--no-mev-protection", wallet="Bob",
    )
    expect("false" not in json.dumps(answer).lower(), answer)


def stake_list():
    answer = btcli("stake", "list", "--no-prompt", wallet="Bob")
    expect(answer.get("stake_info"), answer)


def stake_remove():
    answer = btcli(
        "stake", "remove", "--netuid", "1", "--amount", "2", "--no-prompt", "--no-safe-staking",
        "--no-mev-protection", wallet="Bob",
    )
    expect("false" not in json.dumps(answer).lower(), answer)


def transfer():
    destination = "5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL"
    succeeded(
        btcli("wallet", "transfer", "--dest", destination, "--amount", "1", "--no-prompt", wallet="Bob")
    )


def create():
    succeeded(
        btcli(
            "subnets", "create", "--no-prompt", "--no-mev-protection",
            "--subnet-name", "Forge", "--repo", "https://github.com/example/forge",
            "--subnet-contact", "forge@example.org", "--url", "https://example.org",
            "--discord-handle", "forge", "--description", "A forge",
            "--logo-url", "https://example.org/logo.png", "--additional-info", "none",
            wallet="Charlie",
        )
    )


def sudo_set():
    change = ("sudo", "set", "--netuid", "1", "--param", "immunity_period", "--value", "77")
    eventually(lambda: succeeded(btcli(*change, "--no-prompt", wallet="Alice")), seconds=90)
    answer = btcli("sudo", "get", "--netuid", "1")
    names = {entry["hyperparameter"]: entry["value"] for entry in answer}
    expect(int(names["immunity_period"]) == 77, names)


def on_chain(item, *keys):
    """What stands in the storage of SubtensorModule."""
    with SubstrateInterface(URL, ss58_format=42) as chain:
        found = chain.query("SubtensorModule", item, list(keys))
    return getattr(found, "value", found)


def hotkey(uri):
    return Keypair.create_from_uri(uri).ss58_address


def axon_set():
    # It takes --no-prompt for --prompt when it is to answer with JSON.
    btcli(
        "axon", "set", "--netuid", "1", "--ip", "8.8.4.4", "--port", "8091", "--no-prompt",
        wallet="Charlie", output=False,
    )
    axon = on_chain("Axons", 1, hotkey("//Charlie//hotkey"))
    expect((int(axon["ip"]), int(axon["port"])) == (0x08080404, 8091), axon)


def child_set():
    answer = btcli(
        "stake", "child", "set", "--netuid", "1", "--children", hotkey("//Charlie//hotkey"),
        "--prop", "0.25", "--no-prompt", "--no-wait-for-finalization", wallet="Bob",
    )
    expect("false" not in json.dumps(answer).lower(), answer)


def swap_hotkey():
    """Eve's hotkey, which `register_unsafe` registered, for another."""
    other = Wallet(name="Eve", hotkey="other", path=WALLETS)
    other.set_hotkey(Keypair.create_from_uri("//Eve//other"), encrypt=False, overwrite=True)
    other.set_hotkeypub(Keypair.create_from_uri("//Eve//other"), overwrite=True)
    uid = on_chain("Uids", 1, hotkey("//Eve//hotkey"))
    expect(uid is not None, "Eve's hotkey is not registered")
    succeeded(btcli("wallet", "swap-hotkey", "other", "--all-netuids", "--no-prompt", wallet="Eve"))
    expect(on_chain("Uids", 1, hotkey("//Eve//other")) == uid, "the UID did not go along")
    expect(on_chain("Uids", 1, hotkey("//Eve//hotkey")) is None, "the old hotkey still has a UID")


checks.run("wallet balance", balance)
checks.run("wallet overview", overview)
checks.run("subnets list", subnets_list)
checks.run("subnets show", subnets_show)
checks.run("subnets metagraph", metagraph)
checks.run("subnets hyperparameters", hyperparameters)
checks.run("subnets register", register)
checks.run("subnets register without a price limit", register_unsafe)
checks.run("stake add", stake_add)
checks.run("stake list", stake_list)
checks.run("stake remove", stake_remove)
checks.run("stake child set", child_set)
checks.run("axon set", axon_set)
checks.run("wallet swap-hotkey", swap_hotkey)
checks.run("wallet transfer", transfer)
checks.run("subnets create", create)
checks.run("sudo set and get", sudo_set)
checks.finish()
