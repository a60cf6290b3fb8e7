# SPDX-License-Identifier: GPL-2.0
"""What the runner in a VM (selftests/run) writes down, and how it comes into the account of a test run."""
import json


class Journal:
    """The events of one VM. It is read while the VM runs: the results of a test that has come to its end
    are in the account from then on, whatever ends the run."""

    def __init__(self, path, account, kernel, counted):
        """counted: the tests that are in the account already, and run again for their leaks alone."""
        self.path, self.account, self.kernel, self.counted = path, account, kernel, counted
        # The test that has begun and not ended, and its results, or those before the first one.
        self.open_test, self.rows = None, []
        self.done, self.scanned, self.spent = 0, False, 0
        self.at = 0

    def read(self, whole=False):
        """Takes what is new. A line may be in the making, until the VM has ended."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return
        if not whole:
            data = data[:data.rfind(b"\n") + 1]
        self.at += len(data)
        for line in data.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # The VM died while it wrote this line.
            self.take(event)

    def take(self, event):
        account = self.account
        if event["event"] == "begin":
            # What the runner has to say before the first one.
            account.add_all(self.rows)
            self.open_test, self.rows = (event["file"], event["subject"]), []
        elif event["event"] == "end":
            # Of one that runs again for its leaks only what it failed in now is new.
            account.add_all(row for row in self.rows
                            if self.open_test not in self.counted or row["result"] == "fail")
            account.number += 1
            account.times.add("test", self.kernel, event["title"], event["seconds"])
            account.ended(self.kernel, *self.open_test)
            self.counted.add(self.open_test)
            self.open_test, self.rows = None, []
            self.done += 1
            self.spent += event["seconds"]
        elif event["event"] == "scan":
            self.scanned = True
            account.number += 1
        else:
            self.rows.append(event)

    def unspoilt(self):
        """Whether nothing of ours has failed in what has not come to its end."""
        return not any(row["result"] == "fail" and row["counted"] for row in self.rows)
