// Who somebody is in a room: a name and a colour. What others send is checked here before anything shows it.

import { recall, remember } from "./page";

export interface Person {
  name: string;
  color: string;
}

const COLORS = [
  "#d6336c", "#c2410c", "#a16207", "#15803d", "#0f766e", "#0369a1", "#4f46e5", "#7c3aed", "#a21caf",
] as const; // white text on each has a contrast of at least 4.5 : 1

const MOODS = [
  "Amber", "Brave", "Calm", "Clever", "Curious", "Gentle", "Golden", "Happy", "Keen", "Lively", "Lucky", "Mellow",
  "Merry", "Nimble", "Polite", "Quiet", "Silver", "Sunny", "Swift", "Wise",
];
const ANIMALS = [
  "Badger", "Bison", "Crane", "Dolphin", "Falcon", "Finch", "Fox", "Gecko", "Hare", "Heron", "Ibex", "Koala", "Lynx",
  "Magpie", "Marten", "Otter", "Owl", "Panda", "Puffin", "Robin", "Seal", "Stork", "Tapir", "Wren",
];
const LONGEST_NAME = 40;

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}

/** A name made fit to show: one line, no control or direction-changing characters, at most 40 characters. */
export function cleanName(name: unknown): string {
  if (typeof name !== "string") return "";
  const plain = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").replace(/\s+/g, " ").trim();
  return Array.from(plain).slice(0, LONGEST_NAME).join("");
}

/** A person from what another client sent, with stand-ins for what is missing or not what it should be. */
export function cleanPerson(value: unknown): Person {
  const { name, color } = (typeof value === "object" && value !== null ? value : {}) as Partial<Person>;
  return {
    name: cleanName(name) || "Someone",
    color: typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : "#6b7280",
  };
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.split(" ").filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters.map((word) => (word ? (Array.from(word)[0] ?? "") : "")).join("").toUpperCase();
}

/** A colour that nobody in `taken` has; `null` where all are taken. */
export function freeColor(taken: Iterable<string>): string | null {
  const used = new Set(taken);
  const free = COLORS.filter((color) => !used.has(color));
  return free.length ? pick(free) : null;
}

/**
 * You. A name that you chose is kept for this browser; the name you are given at first, and the colour, only for this
 * window, so that a second window is somebody else and you can see the two of them meet.
 */
export class Me {
  #person: Person;
  #listeners = new Set<(me: Person) => void>();

  constructor() {
    const given = recall("sessionStorage", "partyroom.given") ?? `${pick(MOODS)} ${pick(ANIMALS)}`;
    remember("sessionStorage", "partyroom.given", given);
    const chosen = cleanName(recall("localStorage", "partyroom.name"));
    this.#person = {
      name: chosen || given,
      color: recall("sessionStorage", "partyroom.color") ?? pick(COLORS),
    };
    this.paint(this.#person.color);
  }

  get person(): Person {
    return this.#person;
  }

  /** Takes a new name; an empty one gives the name of the start back. Returns the name that holds now. */
  rename(name: string): string {
    const chosen = cleanName(name);
    if (chosen === this.#person.name) return chosen;
    remember("localStorage", "partyroom.name", chosen || null);
    this.#change({ name: chosen || recall("sessionStorage", "partyroom.given") || "Someone" });
    return this.#person.name;
  }

  /** Takes a new colour. */
  paint(color: string): void {
    remember("sessionStorage", "partyroom.color", color);
    this.#change({ color });
  }

  /** Calls `listener` now and after each change; the answer stops that. */
  watch(listener: (me: Person) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#person);
    return () => this.#listeners.delete(listener);
  }

  #change(part: Partial<Person>): void {
    this.#person = { ...this.#person, ...part };
    for (const listener of this.#listeners) listener(this.#person);
  }
}
