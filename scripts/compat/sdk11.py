"""Prove that bittensor 11.3, unmodified, works on the chain: its typed reads and its intents. Its registration travels
through MevShield alone, which this chain does not have, so it registers by a raw call.

Usage: sdk11.py WS_URL WALLETS
"""

import asyncio
import sys

import bittensor as bt

from checks import Checks, expect

URL, WALLETS = sys.argv[1:3]
OPEN, SECRET = 1, 2
checks = Checks("bittensor 11.3")


def wallet(name):
    return bt.Wallet(name=name, hotkey="default", path=WALLETS)


ALICE, BOB, CHARLIE, DAVE = (wallet(name) for name in ("Alice", "Bob", "Charlie", "Dave"))
loop = asyncio.new_event_loop()
chain = bt.Client(URL, fallback_endpoints=[], archive_endpoints=[])


def run(what, check):
    return checks.run(
        what, lambda: loop.run_until_complete(asyncio.wait_for(check(), timeout=120))
    )


def coldkey(of):
    return of.coldkeypub.ss58_address


def hotkey(of):
    return of.hotkey.ss58_address


async def connect():
    await chain.connect()
    expect(await chain.spec_version() > 0, "no version")
    return True


if not run("connect", connect):
    checks.finish()


async def do(intent, signer):
    result = await chain.execute(intent, signer)
    result.raise_for_failure()
    return result


async def balance():
    amount = await chain.read("balance", coldkey_ss58=coldkey(ALICE))
    expect(amount.rao > 0, amount)
    expect((await chain.read("existential_deposit")).rao == 500, "existential deposit")


async def transfer():
    before = await chain.read("balance", coldkey_ss58=coldkey(DAVE))
    await do(bt.Transfer(dest_ss58=coldkey(DAVE), amount_tao=2.0), ALICE)
    after = await chain.read("balance", coldkey_ss58=coldkey(DAVE))
    expect(after.rao - before.rao == 2 * 10**9, f"{before} -> {after}")


async def subnets():
    listed = await chain.read("subnets")
    expect({1, 2} <= {subnet.netuid for subnet in listed}, listed)
    expect((await chain.read("subnet", netuid=OPEN)).tempo == 20, "tempo")
    expect((await chain.read("subnet_registration_cost")).rao > 0, "registration cost")
    await chain.read("alpha_price", netuid=OPEN)


async def metagraph():
    graph = await chain.read("metagraph", netuid=OPEN)
    expect(graph["num_uids"] >= 2 and len(graph["hotkeys"]) >= 2, graph)
    expect(graph["hotkeys"][:2] == [hotkey(BOB), hotkey(CHARLIE)], graph["hotkeys"])


async def neurons():
    lite = await chain.read("neurons", netuid=OPEN, lite=True)
    expect(len(lite) >= 2 and lite[0].hotkey == hotkey(BOB), lite)
    expect(await chain.read("uid", hotkey_ss58=hotkey(CHARLIE), netuid=OPEN) == 1, "uid of Charlie")


async def hyperparameters():
    values = await chain.read("subnet_hyperparameters", netuid=OPEN)
    expect(values, values)


async def epochs():
    status = await chain.read("epoch_status", netuid=OPEN)
    expect(status is not None, status)
    expect(await chain.read("blocks_until_next_epoch", netuid=OPEN) >= 0, "next epoch")
    expect(await chain.block_time() > 0, "block time")


async def register():
    call = bt.calls.SubtensorModule.burned_register(netuid=OPEN, hotkey=hotkey(DAVE))
    result = await chain.submit_call(call, DAVE)
    result.raise_for_failure()
    expect(await chain.read("uid", hotkey_ss58=hotkey(DAVE), netuid=OPEN) is not None, "no uid")


async def stake():
    await do(bt.AddStake(hotkey_ss58=hotkey(BOB), netuid=OPEN, amount_tao=10.0), BOB)
    listed = await chain.read("stake_for_coldkey", coldkey_ss58=coldkey(BOB))
    expect(any(position.netuid == OPEN for position in listed), listed)
    await do(bt.RemoveStake(hotkey_ss58=hotkey(BOB), netuid=OPEN, amount_alpha=4.0), BOB)


async def quote():
    await chain.read("quote_stake", netuid=OPEN, amount_tao=1.0)
    await chain.read("quote_unstake", netuid=OPEN, amount_alpha=1.0)


async def serve():
    await do(bt.ServeAxon(netuid=OPEN, ip="8.8.4.4", port=8092), DAVE)


async def set_weights():
    await do(bt.SetWeights(netuid=OPEN, uids=[1], weights=[1.0]), BOB)
    found = await chain.read("weights", netuid=OPEN)
    expect(found, found)


async def commitments():
    call = bt.calls.Commitments.set_commitment(
        netuid=OPEN, info={"fields": [[{"Raw6": "0x" + b"digest".hex()}]]}
    )
    result = await chain.submit_call(call, CHARLIE, signer="hotkey")
    result.raise_for_failure()
    found = await chain.read("commitment", netuid=OPEN, hotkey_ss58=hotkey(CHARLIE))
    expect("digest" in str(found), found)
    expect(len(await chain.read("commitments", netuid=OPEN)) >= 1, "commitments")


async def owner():
    before = {subnet.netuid for subnet in await chain.read("subnets")}
    await do(bt.RegisterSubnet(), ALICE)
    new = {subnet.netuid for subnet in await chain.read("subnets")} - before
    expect(len(new) == 1, new)
    await do(bt.StartCall(netuid=new.pop()), ALICE)


async def hyperparameter_set():
    # The chain takes no hyperparameters shortly before an epoch.
    while await chain.read("blocks_until_next_epoch", netuid=OPEN) < 14:
        await asyncio.sleep(0.2)
    await do(bt.SetHyperparameter(netuid=OPEN, name="immunity_period", value=78), ALICE)
    expect(await chain.read("immunity_period", netuid=OPEN) == 78, "immunity period")


async def timelocked():
    await do(bt.SetWeights(netuid=SECRET, uids=[1], weights=[1.0]), BOB)
    commits = await chain.read("timelocked_weight_commits", netuid=SECRET)
    expect(commits, "no commit")


run("balance", balance)
run("transfer", transfer)
run("subnet list and show", subnets)
run("metagraph", metagraph)
run("neurons", neurons)
run("hyperparameters", hyperparameters)
run("epochs", epochs)
run("register by a raw call", register)
run("stake add, remove and list", stake)
run("quotes", quote)
run("serve axon", serve)
run("set weights", set_weights)
run("commitments", commitments)
run("register and start a subnet", owner)
run("owner sets a hyperparameter", hyperparameter_set)
run("timelocked commit accepted", timelocked)
checks.finish()
