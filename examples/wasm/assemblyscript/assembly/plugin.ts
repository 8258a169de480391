// What a plugin in AssemblyScript needs of its host: the Extism ABI.

// @ts-ignore: decorator
@external("extism:host/env", "alloc") declare function alloc(length: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "length") declare function length(at: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "load_u8") declare function loadU8(at: u64): u32;
// @ts-ignore: decorator
@external("extism:host/env", "load_u64") declare function loadU64(at: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "store_u8") declare function storeU8(at: u64, v: u32): void;
// @ts-ignore: decorator
@external("extism:host/env", "store_u64") declare function storeU64(at: u64, v: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "input_length") declare function inputLength(): u64;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u8") declare function inputLoadU8(i: u64): u32;
// @ts-ignore: decorator
@external("extism:host/env", "input_load_u64") declare function inputLoadU64(i: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "output_set") declare function outputSet(at: u64, length: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "error_set") declare function errorSet(at: u64): void;
// @ts-ignore: decorator
@external("extism:host/env", "config_get") declare function configGet(key: u64): u64;
// @ts-ignore: decorator
@external("extism:host/env", "log_info") declare function logInfo(message: u64): void;

// give copies bytes to a block of the host's, eight at a time; 0 is none.
function give(data: ArrayBuffer): u64 {
  const n = data.byteLength;
  if (n == 0) return 0;
  const at = alloc(n);
  const p = changetype<usize>(data);
  let i = 0;
  for (; i + 8 <= n; i += 8) storeU64(at + i, load<u64>(p + i));
  for (; i < n; i++) storeU8(at + i, load<u8>(p + i));
  return at;
}

// take copies a block of the host's.
function take(at: u64): ArrayBuffer {
  const n = at == 0 ? 0 : <i32>length(at);
  const data = new ArrayBuffer(n);
  const p = changetype<usize>(data);
  let i = 0;
  for (; i + 8 <= n; i += 8) store<u64>(p + i, loadU64(at + i));
  for (; i < n; i++) store<u8>(p + i, <u8>loadU8(at + i));
  return data;
}

// input is the input of the call.
export function input(): Uint8Array {
  const n = <i32>inputLength();
  const data = new ArrayBuffer(n);
  const p = changetype<usize>(data);
  let i = 0;
  for (; i + 8 <= n; i += 8) store<u64>(p + i, inputLoadU64(i));
  for (; i < n; i++) store<u8>(p + i, <u8>inputLoadU8(i));
  return Uint8Array.wrap(data);
}

// output sets the output of the call, and returns what the export returns.
export function output(text: string): i32 {
  const data = String.UTF8.encode(text);
  outputSet(give(data), data.byteLength);
  return 0;
}

// fail reports an error, and returns what the export returns. The class is
// transient, permanent or system: whether trying again may help.
export function fail(class_: string, code: string, message: string): i32 {
  errorSet(give(String.UTF8.encode(
    "{\"class\":" + quote(class_) + ",\"code\":" + quote(code) + ",\"message\":" + quote(message) + "}")));
  return 1;
}

// config is a setting of the plugin; empty where there is none.
export function config(key: string): string {
  return String.UTF8.decode(take(configGet(give(String.UTF8.encode(key)))));
}

// log writes a line to the log of the call.
export function log(message: string): void {
  const at = give(String.UTF8.encode(message));
  if (at != 0) logInfo(at);
}

// quote writes a text as a JSON string.
export function quote(s: string): string {
  let out = "\"";
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c == 0x22 || c == 0x5c) out += "\\";
    if (c < 0x20) {
      out += "\\u00" + (c < 0x10 ? "0" : "1") + "0123456789abcdef".charAt(c & 15);
    } else {
      out += String.fromCharCode(c);
    }
  }
  return out + "\"";
}

// stopped is called for what AssemblyScript cannot go on from.
export function stopped(message: string, file: string, line: u32, column: u32): void {
  fail("system", "abort", message + " at " + file + ":" + line.toString() + ":" + column.toString());
  unreachable();
}
