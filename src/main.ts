/** The program: everything it can do is in cli/. */
import { runCommandLine } from './cli/program.ts';

process.exitCode = await runCommandLine(process.argv.slice(2));

// A broker connection that died half-open can keep its socket for minutes; what is done does not wait for it.
setTimeout(() => process.exit(), 2000).unref();
