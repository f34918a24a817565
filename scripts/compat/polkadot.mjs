//! Prove that polkadot.js, unmodified, reads and writes the chain: storage, maps, constants, runtime APIs, subscriptions,
//! blocks, signed extrinsics, their events and errors.
//!
//! Usage: node polkadot.mjs WS_URL    (with @polkadot/api 16 installed where node looks for it)

import { appendFileSync } from 'node:fs';
import { ApiPromise, HttpProvider, Keyring, WsProvider } from '@polkadot/api';

const [url] = process.argv.slice(2);
const SUITE = 'polkadot.js 16';
const TAO = 1_000_000_000n;
let failed = 0;

/** Runs a check; it passes unless it throws or takes too long. */
async function run(what, check) {
  const started = Date.now();
  let why = null;
  try {
    const late = new Promise((_, reject) => {
      setTimeout(() => reject(new Error('took more than 60 seconds')), 60_000).unref();
    });
    await Promise.race([check(), late]);
  } catch (error) {
    why = String(error?.message ?? error).replace(/\s+/g, ' ').slice(0, 600);
    failed += 1;
  }
  console.log(`${why === null ? 'pass' : 'fail'} ${SUITE}: ${what}${why === null ? '' : `: ${why}`}`);
  if (process.env.COMPAT_RESULTS) {
    const outcome = {
      suite: SUITE,
      check: what,
      passed: why === null,
      reason: why,
      seconds: (Date.now() - started) / 1000,
    };
    appendFileSync(process.env.COMPAT_RESULTS, `${JSON.stringify(outcome)}\n`);
  }
}

function expect(condition, otherwise) {
  if (!condition) throw new Error(typeof otherwise === 'string' ? otherwise : JSON.stringify(otherwise));
}

/** Sends and waits for finality; the events if it succeeded. */
function send(extrinsic, signer) {
  return new Promise((resolve, reject) => {
    extrinsic
      .signAndSend(signer, ({ status, events, dispatchError }) => {
        if (dispatchError?.isModule) {
          const { section, name } = api.registry.findMetaError(dispatchError.asModule);
          reject(new Error(`${section}.${name}`));
        } else if (dispatchError) {
          reject(new Error(dispatchError.toString()));
        } else if (status.isFinalized) {
          resolve(events.map(({ event }) => `${event.section}.${event.method}`));
        } else if (status.isInvalid || status.isDropped) {
          reject(new Error(status.toString()));
        }
      })
      .catch(reject);
  });
}

let api;
const keys = new Keyring({ type: 'sr25519', ss58Format: 42 });
const [alice, bob, ferdie] = ['//Alice', '//Bob', '//Ferdie'].map((uri) => keys.addFromUri(uri));

await run('connect', async () => {
  api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true });
  expect(api.runtimeVersion.specName.toString() === 'node-subtensor', api.runtimeVersion.toString());
});
if (!api) process.exit(1);

await run('chain properties', () => {
  expect(api.registry.chainTokens[0] === 'TAO' && api.registry.chainDecimals[0] === 9, 'token');
  expect(api.registry.chainSS58 === 42, 'address format');
});
await run('balance', async () => {
  const { data } = await api.query.system.account(alice.address);
  expect(data.free.toBigInt() > 0n, data.toString());
});
await run('storage maps', async () => {
  const added = await api.query.subtensorModule.networksAdded.entries();
  expect(added.length >= 2, `${added.length} subnets`);
  const uids = await api.query.subtensorModule.uids.entries(1);
  expect(uids.length >= 2, `${uids.length} uids`);
});
await run('constants', () => {
  expect(api.consts.aura.slotDuration.toNumber() > 0, 'slot duration');
  expect(api.consts.balances.existentialDeposit.toNumber() === 500, 'existential deposit');
});
await run('runtime APIs', async () => {
  const neurons = await api.call.neuronInfoRuntimeApi.getNeuronsLite(1);
  expect(neurons.length >= 2, neurons.toString());
  const metagraph = await api.call.subnetInfoRuntimeApi.getMetagraph(1);
  expect(metagraph.isSome, 'no metagraph');
});
await run('transfer with its events', async () => {
  const before = (await api.query.system.account(ferdie.address)).data.free.toBigInt();
  const events = await send(api.tx.balances.transferKeepAlive(ferdie.address, 2n * TAO), alice);
  expect(events.includes('balances.Transfer') && events.includes('system.ExtrinsicSuccess'), events);
  const after = (await api.query.system.account(ferdie.address)).data.free.toBigInt();
  expect(after === before + 2n * TAO, `${before} -> ${after}`);
});
await run('fee estimate', async () => {
  const info = await api.tx.balances.transferKeepAlive(ferdie.address, TAO).paymentInfo(alice);
  expect(info.partialFee.toBigInt() > 0n, info.toString());
});
await run('register', async () => {
  const hotkey = keys.addFromUri('//Ferdie//hotkey').address;
  const events = await send(api.tx.subtensorModule.burnedRegister(1, hotkey), ferdie);
  expect(events.includes('subtensorModule.NeuronRegistered'), events);
});
await run('stake add and remove', async () => {
  const hotkey = keys.addFromUri('//Bob//hotkey').address;
  await send(api.tx.subtensorModule.addStake(hotkey, 1, 5n * TAO), bob);
  await send(api.tx.subtensorModule.removeStake(hotkey, 1, 2n * TAO), bob);
});
await run('subnet list and show, hyperparameters', async () => {
  const listed = await api.call.subnetInfoRuntimeApi.getAllDynamicInfo();
  expect(listed.toJSON().filter(Boolean).map(({ netuid }) => netuid).join() === '0,1,2', listed.toString());
  const shown = (await api.call.subnetInfoRuntimeApi.getDynamicInfo(1)).toJSON();
  expect(shown.tempo === 20, shown);
  const parameters = (await api.call.subnetInfoRuntimeApi.getSubnetHyperparamsV2(1)).toJSON();
  expect(parameters.tempo === 20 && parameters.immunityPeriod > 0, parameters);
});
await run('stake list', async () => {
  const listed = (await api.call.stakeInfoRuntimeApi.getStakeInfoForColdkey(bob.address)).toJSON();
  expect(listed.some(({ netuid, stake }) => netuid === 1 && stake > 0), listed);
});
await run('serve axon', async () => {
  const hotkey = keys.addFromUri('//Charlie//hotkey');
  await send(api.tx.subtensorModule.serveAxon(1, 1, 0x08080404, 8091, 4, 4, 0, 0), hotkey);
  const axon = (await api.query.subtensorModule.axons(1, hotkey.address)).toJSON();
  expect(axon.ip === 0x08080404 && axon.port === 8091, axon);
});
await run('commitments', async () => {
  const hotkey = keys.addFromUri('//Charlie//hotkey');
  await send(api.tx.commitments.setCommitment(1, { fields: [{ Raw6: '0x646967657374' }] }), hotkey);
  const record = (await api.query.commitments.commitmentOf(1, hotkey.address)).toJSON();
  expect(JSON.stringify(record).includes('646967657374'), record);
});
await run('set weights', async () => {
  const hotkey = keys.addFromUri('//Bob//hotkey');
  await send(api.tx.subtensorModule.setWeights(1, [1], [65535], 0), hotkey);
  const weights = await api.query.subtensorModule.weights(1, 0);
  expect(JSON.stringify(weights) === '[[1,65535]]', weights.toString());
});
await run('a failed extrinsic names its error', async () => {
  const hotkey = keys.addFromUri('//Bob//hotkey').address;
  const error = await send(api.tx.subtensorModule.addStake(hotkey, 77, TAO), bob).catch((why) => why.message);
  expect(String(error).startsWith('subtensorModule.'), String(error));
});
await run('subscribe to blocks and to storage', async () => {
  await new Promise((resolve, reject) => {
    let seen = 0;
    api.rpc.chain
      .subscribeNewHeads(() => {
        seen += 1;
        if (seen === 3) resolve();
      })
      .catch(reject);
  });
  await new Promise((resolve, reject) => {
    let seen = 0;
    api.query.timestamp
      .now(() => {
        seen += 1;
        if (seen === 2) resolve();
      })
      .catch(reject);
  });
});
await run('blocks and older states', async () => {
  const head = await api.rpc.chain.getHeader();
  const parent = await api.rpc.chain.getBlock(head.parentHash);
  expect(parent.block.extrinsics[0].method.section === 'timestamp', parent.toString());
  const then = await api.at(head.parentHash);
  const events = await then.query.system.events();
  expect(events.length > 0, 'no events');
});
await run('over HTTP', async () => {
  const provider = new HttpProvider(url.replace(/^ws/, 'http'));
  const name = await provider.send('system_chain', []);
  expect(typeof name === 'string', String(name));
});

await api.disconnect();
process.exit(failed ? 1 : 0);
