/** Data flows one way: a room may import only from rooms to its left (types too). */
const rooms = ['trace', 'image', 'x64', 'kernel', 'devices', 'ndis', 'machine', 'contract', 'explore', 'report'];
const faces = ['cli', 'web'];

const leftOf = (room) => rooms.slice(0, rooms.indexOf(room));
/** The library's face without a host, which is what miniports and devices are written with: for a face of haltex that runs them. */
const authoring = 'authoring\\.ts$';
const only = (from, allowed) => ({
  name: `${from}-imports-left`,
  severity: 'error',
  from: { path: `^src/${from}/`, pathNot: '(\\.test\\.ts$|/testing(\\.ts|/))' },
  to: {
    path: '^src/',
    pathNot: `^src/((${[...allowed, from].join('|')})/${faces.includes(from) ? `|${authoring}` : ''})`,
  },
});

export default {
  forbidden: [
    ...rooms.map((room) => only(room, leftOf(room))),
    ...faces.map((face) => only(face, rooms)),
    {
      name: 'no-host-below-the-faces',
      comment: 'Nothing below the faces may reach the host: no file system, no network, no clock.',
      severity: 'error',
      from: { path: `^src/(${rooms.join('|')})/`, pathNot: '(\\.test\\.ts$|/testing(\\.ts|/))' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'only-decode-knows-iced',
      severity: 'error',
      from: { pathNot: '^src/x64/(decode\\.ts|.*\\.test\\.ts|testing)' },
      to: { path: 'iced-x86' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { conditionNames: ['import', 'types', 'default'], exportsFields: ['exports'] },
  },
};
