/** One copy in, and everybody passes it on. */
import Box from '@mui/material/Box';
import type { ReactNode } from 'react';

const center = { x: 160, y: 116 };
const rings = [
  { count: 6, radius: 52, size: 6 },
  { count: 12, radius: 98, size: 4.5 },
];

export function SwarmPicture(): ReactNode {
  const [inner = [], outer = []] = rings.map(({ count, radius }) =>
    Array.from({ length: count }, (_, index) => {
      const angle = (index / count) * 2 * Math.PI + radius / 60;
      return { x: center.x + radius * Math.cos(angle), y: center.y + radius * Math.sin(angle) };
    }),
  );
  const links = [
    ...inner.map((to) => ({ from: center, to })),
    ...outer.map((to, index) => ({ from: inner[Math.floor(index / 2)] ?? center, to })),
    ...outer
      .map((to, index) => ({ from: outer[(index + 5) % outer.length] ?? center, to }))
      .filter((_, index) => index % 3 === 0),
  ];
  return (
    <Box
      component="svg"
      viewBox="0 0 320 232"
      aria-hidden
      sx={{
        width: '100%',
        '& line': {
          stroke: 'var(--mui-palette-source-peer)',
          strokeWidth: 1.4,
          strokeOpacity: 0.35,
          strokeDasharray: '3 7',
          animation: 'flow 1.6s linear infinite',
        },
        '@keyframes flow': { to: { strokeDashoffset: -20 } },
        '@media (prefers-reduced-motion: reduce)': { '& line': { animation: 'none' } },
      }}
    >
      {links.map(({ from, to }) => (
        <line key={`${from.x},${from.y}-${to.x},${to.y}`} x1={from.x} y1={from.y} x2={to.x} y2={to.y} />
      ))}
      <circle cx={center.x} cy={center.y} r="10" fill="var(--mui-palette-source-seed)" />
      {[inner, outer].map((ring, index) =>
        ring.map(({ x, y }) => (
          <circle key={`${x},${y}`} cx={x} cy={y} r={rings[index]?.size} fill="var(--mui-palette-source-peer)" />
        )),
      )}
    </Box>
  );
}
