from proctor.redaction.structure.walking import Walk as Walk
