// What the server says about itself: its parties, its rooms and how many people are in each.

import { http } from "./address";

export interface Party {
  name: string;
  /** `document`, `chat` or `relay` for the ready-made ones; anything else is the user's own. */
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
  rooms: RoomLine[];
  connections: number;
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
    const { version = "", parties = [], rooms = [], connections = 0 } = (await answer.json()) as Partial<Overview>;
    return { version, parties, rooms, connections };
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
