// Numbers and times as people read them. Pure. A no-break space keeps number and unit on one line.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const digits = [0, 1, 2].map((most) => new Intl.NumberFormat("en", { maximumFractionDigits: most, minimumFractionDigits: most }));

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));

export const short = (value) => (Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value));

export function rate(value) {
  if (value >= 100) return short(value);
  return digits[value >= 10 || value === 0 ? 0 : 1].format(value);
}

export const decimal = (value) => digits[value >= 100 ? 0 : value >= 10 ? 1 : 2].format(value);

export function share(part, of) {
  if (!of) return "–";
  // 99.996 % must not read as 100 %: something is missing.
  const percent = Math.floor((10_000 * part) / of) / 100;
  return `${percent === 100 ? "100" : digits[percent < 90 ? 1 : 2].format(percent)}\u00a0%`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 10 && !Number.isInteger(value)) return `${value.toFixed(1)}\u00a0s`;
  if (value < 100) return `${Math.round(value)}\u00a0s`;
  if (value < 5_400) return `${Math.round(value / 60)}\u00a0min`;
  if (value < 172_800) return `${Math.round(value / 3_600)}\u00a0h`;
  return `${Math.round(value / 86_400)}\u00a0d`;
}

export const bytes = (value) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = value < 1_000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${step ? decimal(value / 1_000 ** step) : whole.format(value)}\u00a0${units[step]}`;
};

export const clock = (unix) => new Date(unix * 1_000).toISOString().slice(11, 19);

export const moment = (unix) => `${new Date(unix * 1_000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const several = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
