// Server-sent events of a response to a POST, which EventSource cannot send.

/**
 * Yield the events of a stream as they come.
 * @param {Response} response with a body of `text/event-stream`
 * @yields {{event: string, data: string}}
 */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += value;
      // a line end may be cut in two: a lone \r at the end waits for its \n
      const blocks = rest.split(/\r\n\r\n|\n\n|\r\r(?!$)/);
      rest = blocks.pop();
      for (const block of blocks) {
        const found = parse(block);
        if (found) yield found;
      }
    }
    const last = parse(rest);
    if (last) yield last;
  } finally {
    reader.cancel().catch(() => {}); // already ended or aborted
  }
}

/** One event, or null for a comment that only keeps the connection alive. */
export function parse(block) {
  let event = "message";
  const data = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const at = line.indexOf(":");
    if (at === 0 || !line) continue;
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { event, data: data.join("\n") } : null;
}
