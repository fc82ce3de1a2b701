/** The table of procedures that stands in the README, from the entries. Pure. */
import { OLDEST, type TableProcedure } from '../procedures/procedure.ts';
import { GROUPS, methodName } from './methods.ts';

const BEGIN = '<!-- procedures: written by `npm run generate -w node-libvirt` -->';
const END = '<!-- /procedures -->';

/** The text with the table between its two marks. @throws where it has none */
export function withProcedureTable(text: string, procedures: Readonly<Record<string, TableProcedure>>): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`the text has no place for the table: ${BEGIN} ... ${END}`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${render(procedures)}\n${text.slice(end)}`;
}

function render(procedures: Readonly<Record<string, TableProcedure>>): string {
  const methods = Object.entries(procedures).flatMap(([procedure, { entry, since }]) => {
    if (entry.method === undefined) return [];
    const { group, name } = methodName(entry.method.c);
    const method = group.property === '' ? name : `${group.property}.${name}`;
    return [{ group, method, c: entry.method.c, procedure, number: entry.number, since }];
  });
  const sections = GROUPS.map((group) => {
    const rows = methods
      .filter((method) => method.group === group)
      .map(
        ({ method, c, procedure, number, since }) =>
          `| \`${method}\` | ${c} | ${procedure} ${number} | ${sinceText(since)} |`,
      );
    return rows.length === 0
      ? ''
      : `**${group.doc.replace(/\.$/, '')}** (${rows.length})\n\n| method | C function | procedure | libvirt |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  const silent = Object.keys(procedures).length - methods.length;
  const summary = `${methods.length} methods; ${silent} more procedures are spoken by connecting and subscribing.\n`;
  return [summary, ...sections.filter((section) => section !== '')].join('\n');
}

/** The oldest release that the table was compared with is not where these procedures began. */
function sinceText(since: string): string {
  return since === OLDEST ? `≤ ${OLDEST}` : since;
}
