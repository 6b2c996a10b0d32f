/** How long ago, with the exact time for who asks. */
import Tooltip from '@mui/material/Tooltip';
import { useEffect, useState, type ReactNode } from 'react';
import { useFormats } from '../i18n/format.ts';

const refreshMs = 15_000;

export function TimeText({ at }: { readonly at: string | number | undefined }): ReactNode {
  const { dateTime, relative } = useFormats();
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), refreshMs);
    return () => clearInterval(timer);
  }, []);
  const instant = new Date(at ?? Number.NaN);
  // The beginning of time stands for “never” in the API.
  if (Number.isNaN(instant.getTime()) || instant.getTime() <= 0) return '–';
  return (
    <Tooltip describeChild title={dateTime(instant)}>
      <time dateTime={instant.toISOString()} style={{ whiteSpace: 'nowrap' }}>
        {relative(instant, justNow(instant, now))}
      </time>
    </Tooltip>
  );
}

/** Clocks differ a little, and ours here is looked at now and then only: nothing has happened in the near future. */
function justNow(instant: Date, now: Date): Date {
  const aheadMs = instant.getTime() - now.getTime();
  return aheadMs > 0 && aheadMs < 2 * refreshMs ? instant : now;
}
