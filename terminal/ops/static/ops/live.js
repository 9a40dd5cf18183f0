// A topic of the market's websocket, followed for as long as the page is open (docs/websocket.md).

import { drawLive } from "./parts.js";

const SIGNED_OUT = 4401;
const LOOK_MILLISECONDS = 500;
const HEARTBEATS_MISSED = 3;
const RETRY_LIMIT = 5000; // staff are few: they need not be spread over half a minute

// `onReading(details)` for each snapshot of the topic. Every frame is acknowledged at once: one comes a second.
export function follow({ topic, reading, onReading }) {
  const state = { reading, heardAt: Date.now(), failing: true };
  let socket = null;
  let retry = 1000;
  let patience = 6000;
  let spokeAt = Date.now();

  const send = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  const subscribe = () => send({ op: "subscribe", topics: [topic], rate: 1 });

  function take(details) {
    Object.assign(state, { reading: details, heardAt: Date.now(), failing: false });
    onReading(details);
    drawLive(state);
  }

  const on = {
    welcome(message) {
      retry = message.retry_milliseconds;
      patience = HEARTBEATS_MISSED * 1000 * message.heartbeat_seconds;
      subscribe();
    },
    frame(message) {
      send({ op: "ack", frame: message.frame });
      const snapshot = message.parts?.findLast((part) => part.topic === topic && part.details);
      if (snapshot) take(snapshot.details);
    },
    error({ code }) {
      if (code === "NOT_FOUND") location.reload(); // not for this user any more: the server says what is
      else setTimeout(subscribe, retry);
    },
  };

  function connect() {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/market`);
    spokeAt = Date.now();
    socket.onmessage = ({ data }) => {
      spokeAt = Date.now();
      const message = JSON.parse(data);
      on[message.type]?.(message);
    };
    socket.onclose = ({ code }) => {
      if (code === SIGNED_OUT) return location.reload(); // the login page says so
      state.failing = true;
      setTimeout(connect, retry);
      retry = Math.min(2 * retry, RETRY_LIMIT);
    };
  }

  setInterval(() => {
    if (Date.now() - spokeAt > patience) socket.close(); // dead without a word: the line, or the process behind it
    drawLive(state);
  }, LOOK_MILLISECONDS);
  connect();
  return state;
}
