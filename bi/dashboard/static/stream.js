// Follows the server's events and finds its way back by itself. The server speaks once a second: silence is a loss as well.

const SILENT_MS = 6000;
const AGAIN_MS = 1000;

// `onState` gets "connecting", "connected" or "reconnecting"; `onView` each object of changed sections.
export function follow(address, onView, onState) {
  let source;
  let timer;

  function open() {
    source = new EventSource(address);
    source.addEventListener("view", (event) => {
      wait(SILENT_MS);
      onState("connected");
      onView(JSON.parse(event.data));
    });
    source.addEventListener("error", () => lose(AGAIN_MS));
    wait(SILENT_MS);
  }

  // The browser would try again too, but not after every kind of failure.
  function lose(after) {
    source.close();
    onState("reconnecting");
    clearTimeout(timer);
    timer = setTimeout(open, after);
  }

  function wait(ms) {
    clearTimeout(timer);
    timer = setTimeout(() => lose(0), ms);
  }

  onState("connecting");
  open();
}
