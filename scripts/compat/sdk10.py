"""Prove that bittensor 10.5, unmodified, works on the chain as on finney: everything that a validator, a miner and an owner
do with it, with commit-reveal in all its forms.

Usage: sdk10.py WS_URL WALLETS
"""

import hashlib
import sys
import time

import bittensor as bt
import bittensor_drand
from bittensor.utils.balance import Balance
from bittensor_wallet import Keypair, Wallet

from checks import Checks, eventually, expect

URL, WALLETS = sys.argv[1:3]
# Subnet 1 sets weights in the open, subnet 2 by commit and reveal.
OPEN, SECRET = 1, 2
# The round of drand's quicknet whose signature is in every client's tests, and that signature.
ROUND = 1000
SIGNATURE = (
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e39"
)
checks = Checks("bittensor 10.5")


def wallet(name):
    return Wallet(name=name, hotkey="default", path=WALLETS)


def address(uri):
    return Keypair.create_from_uri(uri).ss58_address


BOB, CHARLIE, DAVE, ALICE = (wallet(name) for name in ("Bob", "Charlie", "Dave", "Alice"))
HOTKEY = {name: address(f"//{name}//hotkey") for name in ("Bob", "Charlie", "Dave", "Alice")}

chain = checks.run("connect", lambda: bt.Subtensor(network=URL))
if chain is None:
    checks.finish()


def tao(amount):
    return Balance.from_tao(amount)


def succeeded(response):
    expect(response.success, f"{response.message} {response.error}")
    return response


def wait(condition, what, blocks=60):
    last = chain.block + blocks
    while not condition():
        expect(chain.block <= last, f"{what} did not happen in {blocks} blocks")
        time.sleep(0.2)


def balances():
    alice = chain.get_balance(address("//Alice"))
    expect(alice.tao > 0, alice)
    both = chain.get_balances(address("//Alice"), address("//Bob"))
    expect(len(both) == 2, both)


def transfer():
    before = chain.get_balance(address("//Ferdie"))
    succeeded(chain.transfer(ALICE, address("//Ferdie"), tao(2), wait_for_finalization=True))
    after = chain.get_balance(address("//Ferdie"))
    expect(after - before == tao(2), f"{before} -> {after}")


def subnets():
    expect(set(chain.get_all_subnets_netuid()) >= {OPEN, SECRET}, "subnets are missing")
    listed = chain.all_subnets()
    expect({subnet.netuid for subnet in listed} >= {OPEN, SECRET}, listed)
    shown = chain.subnet(OPEN)
    expect(shown.tempo == 20 and shown.symbol, shown)
    expect(chain.get_subnet_burn_cost().tao > 0, "a subnet costs nothing")
    expect(len(chain.get_all_subnets_info()) >= 2, "get_all_subnets_info")
    expect(len(chain.get_all_metagraphs_info()) >= 2, "get_all_metagraphs_info")


def metagraph():
    graph = chain.metagraph(OPEN, lite=False)
    expect(graph.n.item() >= 2, graph.n)
    expect(graph.hotkeys[:2] == [HOTKEY["Bob"], HOTKEY["Charlie"]], graph.hotkeys)
    expect(graph.S[0] > 0 and bool(graph.validator_permit[0]), (graph.S, graph.validator_permit))
    info = chain.get_metagraph_info(OPEN)
    expect(info.num_uids >= 2 and info.tempo == 20, info)


def neurons():
    expect(len(chain.neurons_lite(OPEN)) >= 2, "neurons_lite")
    expect(len(chain.neurons(OPEN)) >= 2, "neurons")
    neuron = chain.neuron_for_uid(0, OPEN)
    expect(neuron.hotkey == HOTKEY["Bob"], neuron)
    expect(chain.get_uid_for_hotkey_on_subnet(HOTKEY["Charlie"], OPEN) == 1, "uid of Charlie")
    expect(chain.is_hotkey_registered(HOTKEY["Bob"], OPEN), "Bob is not registered")


def hyperparameters():
    values = chain.get_subnet_hyperparameters(OPEN)
    expect(values is not None, "none")
    expect(chain.tempo(OPEN) == 20, chain.tempo(OPEN))
    expect(chain.weights_rate_limit(OPEN) == 0, chain.weights_rate_limit(OPEN))
    expect(chain.min_allowed_weights(OPEN) == 1, chain.min_allowed_weights(OPEN))
    expect(chain.immunity_period(OPEN) > 0, "immunity period")
    expect(chain.recycle(OPEN) is not None, "registration price")
    expect(chain.get_next_epoch_start_block(OPEN) > chain.block, "next epoch")


def register():
    succeeded(chain.burned_register(DAVE, OPEN))
    expect(chain.is_hotkey_registered(HOTKEY["Dave"], OPEN), "Dave is not registered")


def stake():
    before = chain.get_stake(address("//Bob"), HOTKEY["Bob"], OPEN)
    succeeded(chain.add_stake(BOB, OPEN, HOTKEY["Bob"], tao(10)))
    added = chain.get_stake(address("//Bob"), HOTKEY["Bob"], OPEN)
    expect(added > before, f"{before} -> {added}")
    succeeded(chain.unstake(BOB, OPEN, HOTKEY["Bob"], tao(4).set_unit(OPEN)))
    listed = chain.get_stake_info_for_coldkey(address("//Bob"))
    expect(any(entry.netuid == OPEN and entry.stake.rao > 0 for entry in listed), listed)


def safe_stake():
    succeeded(
        chain.add_stake(BOB, OPEN, HOTKEY["Bob"], tao(3), safe_staking=True, rate_tolerance=0.1)
    )
    succeeded(
        chain.unstake(
            BOB, OPEN, HOTKEY["Bob"], tao(1).set_unit(OPEN), safe_unstaking=True, rate_tolerance=0.1
        )
    )


def serve():
    axon = bt.Axon(wallet=DAVE, ip="8.8.8.8", port=8091, external_ip="8.8.4.4", external_port=8092)
    succeeded(chain.serve_axon(OPEN, axon))
    uid = chain.get_uid_for_hotkey_on_subnet(HOTKEY["Dave"], OPEN)
    shown = chain.metagraph(OPEN).axons[uid]
    expect((shown.ip, shown.port) == ("8.8.4.4", 8092), shown)


def weights_of(netuid, uid=0):
    return dict(chain.weights(netuid)).get(uid, [])


def set_weights():
    succeeded(chain.set_weights(BOB, OPEN, [1], [1.0], version_key=0, block_time=0.25))
    expect(weights_of(OPEN) == [(1, 65535)], weights_of(OPEN))


def emission():
    wait(lambda: chain.neuron_for_uid(1, OPEN).incentive > 0, "incentive")
    expect(chain.neuron_for_uid(0, OPEN).dividends > 0, "no dividends")
    expect(len(chain.bonds(OPEN)) >= 1, "no bonds")


def commitment():
    succeeded(chain.set_commitment(CHARLIE, OPEN, "a checkpoint's digest"))
    found = chain.get_commitment(OPEN, 1)
    expect(found == "a checkpoint's digest", found)
    everyone = chain.get_all_commitments(OPEN)
    expect(everyone[HOTKEY["Charlie"]] == "a checkpoint's digest", everyone)


def reveal_commitment():
    succeeded(
        chain.set_reveal_commitment(CHARLIE, SECRET, "later", blocks_until_reveal=5, block_time=0.25)
    )


def call(module, function, signer, **arguments):
    composed = chain.compose_call(module, function, arguments)
    return succeeded(
        chain.sign_and_send_extrinsic(composed, signer, wait_for_finalization=True)
    )


def owner_sets_hyperparameters():
    eventually(
        lambda: call("AdminUtils", "sudo_set_immunity_period", ALICE, netuid=OPEN, immunity_period=99)
    )
    expect(chain.immunity_period(OPEN) == 99, chain.immunity_period(OPEN))
    expect(chain.commit_reveal_enabled(SECRET), "commit-reveal is off")


def in_the_open_is_refused():
    composed = chain.compose_call(
        "SubtensorModule",
        "set_weights",
        {"netuid": SECRET, "dests": [1], "weights": [65535], "version_key": 0},
    )
    response = chain.sign_and_send_extrinsic(composed, BOB, sign_with="hotkey", use_nonce=True)
    expect(not response.success, "weights were set in the open")
    expect("CommitReveal" in str(response.message) or "CommitReveal" in str(response.error), response)


def hash_commit_reveal():
    salt, uids, weights = [1, 2, 3, 4], [1], [65535]
    succeeded(
        chain.commit_weights(
            BOB, SECRET, salt, uids, weights, version_key=0,
            wait_for_inclusion=True, wait_for_finalization=True,
        )
    )
    period = chain.get_subnet_reveal_period_epochs(SECRET)
    epoch = chain.get_subnet_epoch_index(SECRET)
    wait(lambda: chain.get_subnet_epoch_index(SECRET) >= epoch + period, "the reveal epoch")
    succeeded(chain.reveal_weights(BOB, SECRET, uids, weights, salt, version_key=0))
    expect(weights_of(SECRET) == [(1, 65535)], weights_of(SECRET))


def timelocked():
    succeeded(chain.set_weights(BOB, SECRET, [1], [1.0], version_key=0, block_time=0.25))
    commits = chain.get_timelocked_weight_commits(SECRET)
    expect(commits and commits[0][0] == HOTKEY["Bob"], commits)
    expect(commits[0][3] > 1_000_000, f"{commits[0][3]} is not a round of quicknet")


def scale_compact(number):
    expect(number < 1 << 14, number)
    return bytes([number << 2]) if number < 64 else ((number << 2) | 1).to_bytes(2, "little")


def timelocked_payload(hotkey, uids, weights, version_key):
    """WeightsTlockPayload {hotkey: Vec<u8>, uids: Vec<u16>, values: Vec<u16>, version_key: u64} in SCALE."""
    numbers = lambda values: scale_compact(len(values)) + b"".join(
        value.to_bytes(2, "little") for value in values
    )
    public = Keypair(ss58_address=hotkey).public_key
    return (
        scale_compact(len(public)) + bytes(public)
        + numbers(uids) + numbers(weights) + version_key.to_bytes(8, "little")
    )


def revealed_at_a_known_round():
    """A commit that the reference library encrypts to round 1000 is revealed by the chain with that round's signature."""
    payload = timelocked_payload(HOTKEY["Bob"], [0, 1], [20000, 65535], 0)
    wrapped, round_ = bittensor_drand.encrypt_at_round(payload, ROUND)
    expect(round_ == ROUND, round_)
    # SCALE of (Vec<u8>, u64): the commit is the inner byte string.
    prefix = {0: 1, 1: 2, 2: 4}[wrapped[0] & 3]
    ciphertext = bytes(wrapped[prefix:-8])
    opened = bittensor_drand.decrypt_with_signature(wrapped, SIGNATURE)
    expect(bytes(opened) == payload, "the reference library does not open its own commit")
    composed = chain.compose_call(
        "SubtensorModule",
        "commit_timelocked_mechanism_weights",
        {
            "netuid": SECRET,
            "mecid": 0,
            "commit": "0x" + ciphertext.hex(),
            "reveal_round": ROUND,
            "commit_reveal_version": 4,
        },
    )
    succeeded(
        chain.sign_and_send_extrinsic(
            composed, BOB, sign_with="hotkey", use_nonce=True, wait_for_finalization=True
        )
    )
    bring_pulse()
    wait(lambda: weights_of(SECRET) == [(0, 20000), (1, 65535)], "the reveal", blocks=80)


def bring_pulse():
    """Brings quicknet's pulse of round 1000, as a validator's off-chain worker does: unsigned, with a signed payload."""
    substrate = chain.substrate
    signature = bytes.fromhex(SIGNATURE)
    randomness = hashlib.sha256(signature).digest()
    carrier = Keypair.create_from_uri("//Alice")
    number = chain.block
    payload = (
        number.to_bytes(4, "little")
        + scale_compact(1)
        + ROUND.to_bytes(8, "little")
        + scale_compact(len(randomness)) + randomness
        + scale_compact(len(signature)) + signature
        + b"\x01" + bytes(carrier.public_key)
    )
    pulse = {
        "round": ROUND,
        "randomness": "0x" + randomness.hex(),
        "signature": "0x" + signature.hex(),
    }
    composed = chain.compose_call(
        "Drand",
        "write_pulse",
        {
            "pulses_payload": {
                "block_number": number,
                "pulses": [pulse],
                "public": {"Sr25519": "0x" + bytes(carrier.public_key).hex()},
            },
            "signature": {"Sr25519": "0x" + bytes(carrier.sign(payload)).hex()},
        },
    )
    extrinsic = substrate.create_unsigned_extrinsic(composed)
    substrate.submit_extrinsic(extrinsic, wait_for_inclusion=True)


def owner():
    response = succeeded(chain.register_subnet(ALICE))
    newest = max(chain.get_all_subnets_netuid())
    expect(newest > SECRET, newest)
    succeeded(chain.start_call(ALICE, newest))


def children():
    succeeded(chain.set_children(BOB, OPEN, HOTKEY["Bob"], [(0.5, HOTKEY["Dave"])]))
    pending = chain.get_children_pending(HOTKEY["Bob"], OPEN)
    expect(pending is not None, "no pending children")


checks.run("balance", balances)
checks.run("transfer", transfer)
checks.run("subnet list and show", subnets)
checks.run("metagraph", metagraph)
checks.run("neurons", neurons)
checks.run("hyperparameters", hyperparameters)
checks.run("register", register)
checks.run("stake add, remove and list", stake)
checks.run("stake within a price limit", safe_stake)
checks.run("serve axon", serve)
checks.run("set weights", set_weights)
checks.run("emission, incentive and dividends", emission)
checks.run("commitments", commitment)
checks.run("timelocked commitment accepted", reveal_commitment)
checks.run("owner sets a hyperparameter", owner_sets_hyperparameters)
checks.run("weights in the open are refused then", in_the_open_is_refused)
checks.run("hash commit-reveal", hash_commit_reveal)
checks.run("timelocked commit accepted", timelocked)
checks.run("timelocked commit revealed at quicknet's round 1000", revealed_at_a_known_round)
checks.run("register and start a subnet", owner)
checks.run("children", children)
checks.finish()
