//! Prove that the runtime as WASM builds the state of block 0 that athanor-devnet builds natively: a node that starts from
//! the chain spec starts from the same state, key by key.
//!
//! Usage: node wasm.mjs MODULE SPEC RAW_SPEC    (with @polkadot/util-crypto installed where node looks for it)
//!
//! The host below has what the runtime asks of a node while it builds a state, over a map instead of a trie.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { blake2AsU8a, keccakAsU8a, xxhashAsU8a } from '@polkadot/util-crypto';

const [modulePath, specPath, rawPath] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(modulePath));
const memory = new WebAssembly.Memory({ initial: 64 });
/** Allocations are never freed; the runtime keeps eight bytes of its own before each. */
const HEADER = 8;
let heap = 0;

function allocate(size) {
  heap = (heap + HEADER + 7) & ~7;
  const pointer = heap;
  heap += size + HEADER;
  while (heap > memory.buffer.byteLength) memory.grow(64);
  return pointer;
}

/** Reads what a pointer in the low and a length in the high half of a number stand for. */
function read(span) {
  const start = Number(span & 0xffffffffn);
  return Buffer.from(new Uint8Array(memory.buffer).slice(start, start + Number(span >> 32n)));
}

function place(bytes) {
  const pointer = allocate(bytes.length);
  new Uint8Array(memory.buffer).set(bytes, pointer);
  return pointer;
}

const span = (bytes) => (BigInt(bytes.length) << 32n) | BigInt(place(bytes));

/** A length in SCALE, below 2^30. */
function compact(length) {
  const mode = length < 1 << 6 ? 0 : length < 1 << 14 ? 1 : 2;
  const bytes = Buffer.alloc(1 << mode);
  bytes.writeUIntLE(length * 4 + mode, 0, bytes.length);
  return bytes;
}

const option = (bytes) => (bytes ? Buffer.concat([Buffer.of(1), compact(bytes.length), bytes]) : Buffer.of(0));

/** A list in SCALE with one element more. */
function append(list, element) {
  if (!list) return Buffer.concat([compact(1), element]);
  const width = 1 << (list[0] & 3);
  return Buffer.concat([compact((list.readUIntLE(0, width) >>> 2) + 1), list.subarray(width), element]);
}

let state = new Map();
const layers = [];
const key = (at) => read(at).toString('hex');
const nextKey = (after) => [...state.keys()].filter((other) => other > after).sort()[0];
const hosted = {
  allocator_malloc: allocate,
  allocator_free: () => {},
  logging_max_level: () => 0,
  storage_get: (at) => span(option(state.get(key(at)))),
  storage_set: (at, value) => void state.set(key(at), read(value)),
  storage_clear: (at) => void state.delete(key(at)),
  storage_exists: (at) => Number(state.has(key(at))),
  storage_append: (at, element) => void state.set(key(at), append(state.get(key(at)), read(element))),
  storage_next_key: (at) => span(option(nextKey(key(at)) && Buffer.from(nextKey(key(at)), 'hex'))),
  storage_start_transaction: () => void layers.push(new Map(state)),
  storage_commit_transaction: () => void layers.pop(),
  storage_rollback_transaction: () => void (state = layers.pop()),
  hashing_twox_64: (data) => place(xxhashAsU8a(read(data), 64)),
  hashing_twox_128: (data) => place(xxhashAsU8a(read(data), 128)),
  hashing_blake2_128: (data) => place(blake2AsU8a(read(data), 128)),
  hashing_blake2_256: (data) => place(blake2AsU8a(read(data), 256)),
  hashing_keccak_256: (data) => place(keccakAsU8a(read(data))),
  hashing_sha2_256: (data) => place(createHash('sha256').update(read(data)).digest()),
};
const env = { memory };
for (const { kind, name } of WebAssembly.Module.imports(module)) {
  if (kind !== 'function') continue;
  env[name] = hosted[name.replace(/^ext_(.*)_version_1$/, '$1')] ?? (() => {
    throw new Error(`the runtime calls ${name} while it builds a state`);
  });
}
const { exports } = new WebAssembly.Instance(module, { env });
heap = exports.__heap_base.value;

function call(name, argument) {
  return read(exports[name](place(argument), argument.length));
}

const { config } = JSON.parse(readFileSync(specPath)).genesis.runtimeGenesis;
const native = JSON.parse(readFileSync(rawPath)).genesis.raw.top;
delete native['0x3a636f6465'];
const json = Buffer.from(JSON.stringify(config));
const answer = call('GenesisBuilder_build_state', Buffer.concat([compact(json.length), json]));
const differing = Object.entries(native).filter(([at, value]) => `0x${state.get(at.slice(2))?.toString('hex')}` !== value);
if (answer[0] !== 0 || differing.length > 0 || state.size !== Object.keys(native).length) {
  const which = differing.map(([at]) => at).slice(0, 3).join(' ');
  console.error(`wasm: the states differ: ${state.size} entries, natively ${Object.keys(native).length}; ${which}`);
  process.exit(1);
}
console.log(`the same state of block 0: ${state.size} entries`);
