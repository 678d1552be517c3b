namespace Recall;

/// <summary>
/// An error that the user can mend: the message says where (file, line, key, tensor), what is wrong, and what to do.
/// The command prints it without a stack and exits with 1. Every other exception is a defect of Recall.
/// </summary>
public class RecallException : Exception
{
    /// <summary>An error with its message.</summary>
    public RecallException(string message) : base(message) { }

    /// <summary>An error with its message and what caused it.</summary>
    public RecallException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>A <see cref="RecallException"/> about what was asked for, in a config file or on the command line: the command exits with 2.</summary>
public sealed class ConfigurationException : RecallException
{
    /// <summary>An error with its message.</summary>
    public ConfigurationException(string message) : base(message) { }

    /// <summary>An error with its message and what caused it.</summary>
    public ConfigurationException(string message, Exception inner) : base(message, inner) { }
}
