import { describe, expect, it } from "vitest";

import { imbalance, ladderOfRow, ladderOfValue, largest, quantityOf, spreadOf } from "./ladder";

const COLUMNS = ["last_price", "bid_price_1", "bid_quantity_1", "bid_orders_1", "ask_price_1", "ask_quantity_1", "ask_orders_1"];

describe("a ladder", () => {
  it("reads five levels out of an instrument's row and leaves empty ones out", () => {
    expect(ladderOfRow(COLUMNS, [100, 99, 50, 2, 101, 75, 3])).toEqual({
      bids: [{ price: 99, quantity: 50, orders: 2 }],
      asks: [{ price: 101, quantity: 75, orders: 3 }],
      source: "FIVE",
    });
  });
  it("reads the levels of a depth value", () => {
    const ladder = ladderOfValue({ levels: 20, bids: [[99, 50, 2], [98, 150, 4]], asks: [], at: 0, source: "TWENTY" });
    expect([quantityOf(ladder.bids), largest(ladder), spreadOf(ladder), ladder.source]).toEqual([200, 150, null, "TWENTY"]);
  });
  it("tells the spread of the best prices", () => {
    expect(spreadOf(ladderOfRow(COLUMNS, [100, 99, 50, 2, 101, 75, 3]))).toBe(2);
  });
});

describe("imbalance", () => {
  it("lies between sellers only and buyers only, and is unknown of an empty market", () => {
    expect([imbalance(0, 10), imbalance(30, 10), imbalance(10, 0), imbalance(0, 0)]).toEqual([-1, 0.5, 1, null]);
  });
});
