SELECT * FROM scans WHERE account <> getvariable('observed')
