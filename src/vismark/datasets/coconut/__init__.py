"""COCONut: its hub tables, PNG folders and JSON files: loaders, validators and conversions."""
