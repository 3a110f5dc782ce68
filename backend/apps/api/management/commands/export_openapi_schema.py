from ninja.management.commands.export_openapi_schema import Command as Command
