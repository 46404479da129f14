"""File formats, written once: records, readers, writers and the checks that go with them."""
