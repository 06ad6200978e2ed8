If a connection stays down longer than `[reconnect] rehome_after` (120 s), its markets move to the others. Refused keys (401, 403 in a row) raise one alarm with the likely cause, and slow every dial.
