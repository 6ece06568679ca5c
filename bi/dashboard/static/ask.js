// Questions to the page's own server.

export const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

// The answer as an object, or {error: text}; never throws.
export async function ask(address) {
  try {
    const response = await fetch(address);
    const answer = await response.json();
    return response.ok ? answer : { error: answer.error ?? `the server answered ${response.status}`, status: response.status };
  } catch {
    return { error: "the page's server does not answer just now" };
  }
}

const EVERY_MS = 5000;
const SHARE = 8; // a slow answer is asked for less often

// Asks again and again while `wanted()`, and hands each answer to `take`. `again()` asks at once; what was asked before then counts no more.
export class Asking {
  constructor(address, take, wanted) {
    Object.assign(this, { address, take, wanted, turn: 0 });
    document.addEventListener("visibilitychange", () => document.hidden || this.again());
  }

  again() {
    clearTimeout(this.timer);
    this.turn += 1;
    if (this.wanted()) this.once(this.turn);
  }

  async once(turn) {
    const began = performance.now();
    const found = await ask(this.address());
    if (turn !== this.turn || !this.wanted()) return;
    this.show(found);
    const wait = Math.max(EVERY_MS, SHARE * (performance.now() - began));
    this.timer = setTimeout(() => !document.hidden && this.wanted() && this.once(turn), wait);
  }

  // An answer that cannot be drawn must not be the last one that is asked for.
  show(found) {
    try {
      this.take(found);
    } catch (error) {
      console.error(error);
      this.take({ error: "the page cannot show this answer" });
    }
  }
}
