/** Loaded into a service before it: SIGUSR2 moves its clock by `CHAOS_CLOCK_MS`; with `CHAOS_CLOCK_AT_START` it is moved from the start. */
const shiftMs = Number(process.env['CHAOS_CLOCK_MS'] ?? '0');
const RealDate = Date;
const realNow = Date.now.bind(Date);
let nowShiftMs = process.env['CHAOS_CLOCK_AT_START'] === '1' ? shiftMs : 0;

process.on('SIGUSR2', () => (nowShiftMs = shiftMs));

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: readonly unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [realNow() + nowShiftMs] : args, newTarget) as object,
  get: (target, name, receiver) =>
    name === 'now' ? () => realNow() + nowShiftMs : (Reflect.get(target, name, receiver) as unknown),
});
