// The example plugin in AssemblyScript: it counts lines, words and bytes.
import { fail, input, output } from "./plugin";

export { stopped } from "./plugin"; // build.sh names it for --use abort=…

export function run(): i32 {
  const text = input();
  if (text.length == 0) return fail("permanent", "empty", "there is no text to count");

  let lines = 0, words = 0, inWord = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    const space = c == 0x20 || (c >= 0x09 && c <= 0x0d);
    if (!space && !inWord) words++;
    inWord = !space;
    if (c == 0x0a) lines++;
  }
  if (text[text.length - 1] != 0x0a) lines++;

  return output("{\"lines\":" + lines.toString() + ",\"words\":" + words.toString() + ",\"bytes\":" + text.length.toString() + "}");
}
