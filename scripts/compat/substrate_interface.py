"""Prove that async-substrate-interface, unmodified, reads and writes the chain: sync and async, storage, maps, constants,
runtime APIs, blocks and their events, subscriptions, signed extrinsics, and errors by their names.

Usage: substrate_interface.py WS_URL
"""

import asyncio
import sys

from async_substrate_interface import AsyncSubstrateInterface, SubstrateInterface
from bittensor_wallet import Keypair

from checks import Checks, expect

URL = sys.argv[1]
TAO = 10**9
checks = Checks("async-substrate-interface")


def key(uri):
    return Keypair.create_from_uri(uri)


chain = checks.run("connect", lambda: SubstrateInterface(URL, ss58_format=42))
if chain is None:
    checks.finish()


def balance(uri):
    account = chain.query("System", "Account", [key(uri).ss58_address])
    return int(getattr(account, "value", account)["data"]["free"])


def send(call_module, call_function, params, signer):
    call = chain.compose_call(call_module, call_function, params)
    extrinsic = chain.create_signed_extrinsic(call=call, keypair=signer)
    return chain.submit_extrinsic(extrinsic, wait_for_finalization=True)


def properties():
    expect(chain.token_symbol == "TAO", chain.token_symbol)
    expect(chain.token_decimals == 9, chain.token_decimals)


def transfer():
    before = balance("//Ferdie")
    receipt = send(
        "Balances",
        "transfer_keep_alive",
        {"dest": key("//Ferdie").ss58_address, "value": 3 * TAO},
        key("//Eve"),
    )
    expect(receipt.is_success, receipt.error_message)
    expect(receipt.total_fee_amount > 0, "no fee was paid")
    names = [event["event"]["event_id"] for event in receipt.triggered_events]
    expect("Transfer" in names and "ExtrinsicSuccess" in names, names)
    expect(balance("//Ferdie") == before + 3 * TAO, "the money did not arrive")


def dispatch_error():
    receipt = send(
        "SubtensorModule",
        "burned_register",
        {"netuid": 99, "hotkey": key("//Eve//hotkey").ss58_address},
        key("//Eve"),
    )
    expect(not receipt.is_success, "registered on a subnet that is not there")
    expect(receipt.error_message["type"] == "Module", receipt.error_message)
    expect("NotExist" in receipt.error_message["name"], receipt.error_message)


def refused_by_the_pool():
    poor = key("//Nobody at all")
    call = chain.compose_call(
        "Balances", "transfer_keep_alive", {"dest": poor.ss58_address, "value": 1}
    )
    extrinsic = chain.create_signed_extrinsic(call=call, keypair=poor, nonce=0)
    try:
        chain.submit_extrinsic(extrinsic, wait_for_inclusion=True)
    except Exception as error:  # noqa: BLE001
        expect("Invalid Transaction" in str(error), error)
        return
    raise AssertionError("an account without money sent something")


def block():
    found = chain.get_block()
    expect(len(found["extrinsics"]) >= 1, found)
    first = found["extrinsics"][0].value["call"]
    expect((first["call_module"], first["call_function"]) == ("Timestamp", "set"), first)


def events():
    expect(len(chain.get_events()) >= 1, "a block without events")


def storage_map():
    entries = {int(netuid): bool(added.value if hasattr(added, "value") else added)
               for netuid, added in chain.query_map("SubtensorModule", "NetworksAdded")}
    expect(entries.get(1) and entries.get(2), entries)


def storage_multi():
    keys = [
        chain.create_storage_key("SubtensorModule", "Tempo", [netuid]) for netuid in (1, 2)
    ]
    tempos = [int(getattr(value, "value", value)) for _, value in chain.query_multi(keys)]
    expect(tempos == [20, 20], tempos)


def constant():
    slot = chain.get_constant("Aura", "SlotDuration")
    expect(int(getattr(slot, "value", slot)) > 0, slot)


def runtime_api():
    answer = chain.runtime_call("NeuronInfoRuntimeApi", "get_neurons_lite", [1])
    neurons = getattr(answer, "value", answer)
    expect(len(neurons) == 2, neurons)


def runtime_api_missing():
    try:
        chain.runtime_call("NoSuchApi", "no_method", [])
    except Exception:  # noqa: BLE001
        return
    raise AssertionError("a runtime API that is not there answered")


def old_state():
    head = chain.get_block_number(chain.get_chain_head())
    expect(head > 0, head)
    at = chain.get_block_hash(head - 1)
    chain.query("System", "Account", [key("//Alice").ss58_address], block_hash=at)


def subscription():
    seen = []

    def handler(header, *_):
        seen.append(header)
        return header if len(seen) >= 3 else None

    chain.subscribe_block_headers(handler)
    expect(len(seen) >= 3, seen)


async def from_async():
    async with AsyncSubstrateInterface(URL, ss58_format=42) as asynchronous:
        head = await asynchronous.get_chain_head()
        account = await asynchronous.query(
            "System", "Account", [key("//Alice").ss58_address], block_hash=head
        )
        free = getattr(account, "value", account)["data"]["free"]
        expect(free > 0, free)
        entries = [
            entry async for entry in await asynchronous.query_map("SubtensorModule", "Tempo")
        ]
        expect(len(entries) >= 2, entries)
        whole = await asynchronous.query_map("SubtensorModule", "Uids", [1], fully_exhaust=True)
        expect(len([entry async for entry in whole]) == 3, "the map without pages")
        call = await asynchronous.compose_call(
            "Balances",
            "transfer_keep_alive",
            {"dest": key("//Ferdie").ss58_address, "value": TAO},
        )
        extrinsic = await asynchronous.create_signed_extrinsic(call=call, keypair=key("//Dave"))
        receipt = await asynchronous.submit_extrinsic(extrinsic, wait_for_inclusion=True)
        expect(await receipt.is_success, await receipt.error_message)


def value(found):
    return getattr(found, "value", found)


def succeeded(receipt):
    expect(receipt.is_success, receipt.error_message)
    return receipt


def subnets():
    listed = value(chain.runtime_call("SubnetInfoRuntimeApi", "get_all_dynamic_info", []))
    expect([subnet["netuid"] for subnet in listed if subnet] == [0, 1, 2], listed)
    shown = value(chain.runtime_call("SubnetInfoRuntimeApi", "get_dynamic_info", [1]))
    expect(shown["tempo"] == 20, shown)
    metagraph = value(chain.runtime_call("SubnetInfoRuntimeApi", "get_metagraph", [1]))
    expect(metagraph["num_uids"] == 2 and len(metagraph["hotkeys"]) == 2, metagraph)


def hyperparameters():
    found = value(chain.runtime_call("SubnetInfoRuntimeApi", "get_subnet_hyperparams_v2", [1]))
    expect(found["tempo"] == 20 and found["immunity_period"] > 0, found)


def register():
    hotkey = key("//Eve//hotkey").ss58_address
    succeeded(
        send("SubtensorModule", "burned_register", {"netuid": 1, "hotkey": hotkey}, key("//Eve"))
    )
    expect(value(chain.query("SubtensorModule", "Uids", [1, hotkey])) == 2, "no UID")


def stake():
    bob, hotkey = key("//Bob"), key("//Bob//hotkey").ss58_address

    def staked():
        found = value(
            chain.runtime_call(
                "StakeInfoRuntimeApi", "get_stake_info_for_coldkey", [bob.ss58_address]
            )
        )
        return {entry["netuid"]: int(entry["stake"]) for entry in found}[1]

    before = staked()
    add = {"hotkey": hotkey, "netuid": 1, "amount_staked": 5 * TAO}
    succeeded(send("SubtensorModule", "add_stake", add, bob))
    # Dividends may come on top.
    expect(staked() >= before + 5 * TAO, f"{before} and 5 TAO are {staked()}")
    remove = {"hotkey": hotkey, "netuid": 1, "amount_unstaked": 2 * TAO}
    succeeded(send("SubtensorModule", "remove_stake", remove, bob))


def serve():
    axon = {
        "netuid": 1, "version": 1, "ip": 0x08080404, "port": 8091, "ip_type": 4,
        "protocol": 4, "placeholder1": 0, "placeholder2": 0,
    }
    hotkey = key("//Charlie//hotkey")
    succeeded(send("SubtensorModule", "serve_axon", axon, hotkey))
    found = value(chain.query("SubtensorModule", "Axons", [1, hotkey.ss58_address]))
    expect((int(found["ip"]), int(found["port"])) == (0x08080404, 8091), found)


def set_weights():
    row = {"netuid": 1, "dests": [1], "weights": [65535], "version_key": 0}
    succeeded(send("SubtensorModule", "set_weights", row, key("//Bob//hotkey")))
    found = value(chain.query("SubtensorModule", "Weights", [1, 0]))
    expect([tuple(entry) for entry in found] == [(1, 65535)], found)


def commitments():
    hotkey = key("//Charlie//hotkey")
    info = {"fields": [[{"Raw6": "0x" + b"digest".hex()}]]}
    succeeded(send("Commitments", "set_commitment", {"netuid": 1, "info": info}, hotkey))
    found = value(chain.query("Commitments", "CommitmentOf", [1, hotkey.ss58_address]))
    expect("digest" in str(found) or b"digest".hex() in str(found), found)


checks.run("properties", properties)
checks.run("balance", lambda: expect(balance("//Alice") > 0, "Alice is poor"))
checks.run("transfer, its fee and its events", transfer)
checks.run("a failed extrinsic names its error", dispatch_error)
checks.run("a refused extrinsic says why", refused_by_the_pool)
checks.run("block", block)
checks.run("events", events)
checks.run("storage map", storage_map)
checks.run("several storage items at once", storage_multi)
checks.run("constant", constant)
checks.run("runtime API", runtime_api)
checks.run("a runtime API that is missing", runtime_api_missing)
checks.run("state of an older block", old_state)
checks.run("subscribe to blocks", subscription)
checks.run("subnet list, show and metagraph", subnets)
checks.run("hyperparameters", hyperparameters)
checks.run("register", register)
checks.run("stake add, remove and list", stake)
checks.run("serve axon", serve)
checks.run("set weights", set_weights)
checks.run("commitments", commitments)
checks.run("the asynchronous interface", lambda: asyncio.run(from_async()))
checks.finish()
