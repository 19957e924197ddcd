// What the server says about itself: its parties, its rooms and how many people are in each.

import { http } from "./address";

export interface Party {
  name: string;
  /** `document` and `chat` are what this page can open; anything else is for other clients. */
  kind: string;
}

export interface RoomLine {
  party: string;
  room: string;
  people: number;
}

export interface Overview {
  version: string;
  parties: Party[];
  /** Whether the server tells us its rooms; elsewhere than at its own machine a room's name may be its only key. */
  listed: boolean;
  rooms: RoomLine[];
  /** How many connections are open; `null` where that is not told either. */
  connections: number | null;
}

const EVERY = 2_000; // ms between two questions
const PATIENCE = 1_500; // ms to wait for an answer

/** What a server that does not tell is taken for: the ready-made lobby. */
export const READY_MADE: Party[] = [
  { name: "main", kind: "document" },
  { name: "chat", kind: "chat" },
];

/** Asks once; `null` where the server does not tell or is not there. */
export async function ask(): Promise<Overview | null> {
  try {
    const answer = await fetch(`${http}/.partyroom/rooms`, { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) return null;
    const told = (await answer.json()) as Partial<Overview>;
    return { version: "", parties: [], listed: true, rooms: [], connections: null, ...told };
  } catch {
    return null;
  }
}

/** Asks again and again while the page can be seen; the answer asks at once. */
export function follow(tell: (overview: Overview | null) => void): () => void {
  let timer = 0;
  const turn = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    tell(await ask());
    clearTimeout(timer);
    timer = window.setTimeout(turn, EVERY);
  };
  document.addEventListener("visibilitychange", turn);
  timer = window.setTimeout(turn, EVERY);
  return turn;
}
